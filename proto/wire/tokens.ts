import { remembered } from "./remembered.ts";

/** A protobuf service's name as one NATS token: "shop.v1.Orders" is "shop-v1-Orders". */
export const serviceToken = remembered((service) => service.replaceAll(".", "-"));

/** A method's name as one token that no service has: "shop.v1.Orders/Place" is "shop-v1-Orders--Place". */
export function methodToken(method: string): string {
  const { service, name } = splitMethod(method);
  return `${serviceToken(service)}--${name}`;
}

/** "shop.v1.Orders/Place" as its service and method. */
export const splitMethod = remembered((method): { readonly service: string; readonly name: string } => {
  const slash = method.indexOf("/");
  return { service: method.slice(0, slash), name: method.slice(slash + 1) };
});
