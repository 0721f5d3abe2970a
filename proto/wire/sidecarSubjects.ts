import { serviceToken, toNames } from "./subjects.ts";

/** All that a sidecar of the service asks or tells, beside pulling and acknowledging its tasks; with wildcards, for permissions. */
export function sidecarSubjects(prefix: string, service: string): readonly string[] {
  const { catalogBucket, limitsBucket } = toNames(prefix);
  const token = serviceToken(service);
  return [
    `${prefix}.out.${token}.*.*`,
    `${prefix}.ask.${token}.*`,
    `${prefix}.payload.${token}.*.*.*`,
    `${prefix}.task.${token}.*.limited`,
    `$KV.${catalogBucket}.${token}.*`,
    `$KV.${limitsBucket}.turn.${token}.*`,
  ];
}

/** What every sidecar asks or tells, whatever its service is; with wildcards, for permissions. */
export function sharedSubjects(prefix: string): readonly string[] {
  const { payloadsStream, limitsBucket } = toNames(prefix);
  return [
    `$JS.API.DIRECT.GET.${payloadsStream}.${prefix}.payload.*.*.*.*`,
    `$JS.API.STREAM.MSG.GET.KV_${limitsBucket}`,
    `$KV.${limitsBucket}.clock.*`,
  ];
}
