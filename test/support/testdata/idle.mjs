// A program that does nothing until it is killed.
console.log("idle");
setInterval(() => undefined, 60_000);
