import { ensureRuby } from "../../scripts/rubyGrpc.mjs";

/** The path of a Ruby with the gem grpc, found or fetched as `npm test` does. */
export function rubyWithGrpc(): string {
  return ensureRuby();
}
