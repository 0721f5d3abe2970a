/** The version of everything in this repository; a test holds it equal to package.json. */
export const version = "0.1.0";
