/** The versions we run on, in words. Older ones lose acknowledged writes or let permissions be passed by. */
export const fitVersions = "2.12.12 or later in 2.12, or 2.14.3 or later";

/** True for a nats-server that holds the fixes we rest on; a pre-release counts as older than its release. */
export function isFitVersion(version: string): boolean {
  const match = /^v?(\d+)\.(\d+)\.(\d+)(-.+)?$/.exec(version);
  if (match === null) return false;
  const [major = 0, minor = 0, patch = 0] = match.slice(1, 4).map(Number);
  const isRelease = match[4] === undefined;
  const isAtLeast = (floor: number): boolean => patch > floor || (patch === floor && isRelease);
  if (major !== 2) return major > 2;
  if (minor === 12) return isAtLeast(12);
  return minor > 14 || (minor === 14 && isAtLeast(3));
}

/** Why the server can't be used; undefined when it can. */
export function unfitness(server: {
  readonly version: string;
  readonly jetstream?: boolean;
  readonly headers?: boolean;
}): string | undefined {
  if (!isFitVersion(server.version)) return `nats-server ${server.version} is not supported; needed: ${fitVersions}`;
  if (server.headers === false) return `nats-server ${server.version} runs without headers`;
  return undefined;
}
