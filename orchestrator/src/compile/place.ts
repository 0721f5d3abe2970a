import type { DescMethod, DescService } from "@bufbuild/protobuf";

/** What a path begins at: an option of a service or of an rpc; or, without option, the service or rpc itself. */
export interface Root {
  readonly service: DescService;
  readonly method: DescMethod | undefined;
  /** Full name and number of the option's extension. */
  readonly option: { readonly name: string; readonly number: number } | undefined;
}

/** A place in a definition: a field of an option, and how one gets there. */
export interface Place {
  readonly root: Root;
  readonly parent: Place | undefined;
  /** Field name in the schema; empty at the root. */
  readonly name: string;
  /** Which element of a repeated field; 0 for others. */
  readonly index: number;
  /** "step[2].call.request"; empty at the root. */
  readonly path: string;
}

/** The place where an option begins. */
export function rootPlace(root: Root): Place {
  return { root, parent: undefined, name: "", index: 0, path: "" };
}

/** The field `name` of the message at `place`. */
export function fieldOf(place: Place, name: string): Place {
  return { root: place.root, parent: place, name, index: 0, path: place.path === "" ? name : `${place.path}.${name}` };
}

/** Element `index` of the repeated field `name` of the message at `place`. */
export function elementOf(place: Place, name: string, index: number): Place {
  const step = `${name}[${index}]`;
  return { root: place.root, parent: place, name, index, path: place.path === "" ? step : `${place.path}.${step}` };
}

/** "shop.v1.OrderWorkflow/Fulfil step[2].call.request". */
export function showPlace(place: Place): string {
  const { service, method } = place.root;
  const name = method === undefined ? service.typeName : `${service.typeName}/${method.name}`;
  return place.path === "" ? name : `${name} ${place.path}`;
}

/** The fields from the root down to `place`. */
export function segmentsOf(place: Place): readonly { readonly name: string; readonly index: number }[] {
  const segments: { readonly name: string; readonly index: number }[] = [];
  for (let at: Place | undefined = place; at?.parent !== undefined; at = at.parent) {
    segments.push({ name: at.name, index: at.index });
  }
  return segments.toReversed();
}
