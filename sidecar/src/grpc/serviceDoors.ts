import type { CallClient, Tls } from "./callClient.ts";
import type { ServiceLink } from "./serviceLink.ts";
import type { Target } from "./target.ts";

/** Both ways to a service process: what is asked about it, and its calls. */
export type ServiceDoors = { readonly link: ServiceLink; readonly client: CallClient };
/** Opens them; `onChange` is told each change between connected and not. */
export type OpenDoors = (
  target: Target,
  tls: Tls | undefined,
  onChange: (isConnected: boolean) => void,
) => ServiceDoors;
