/** Characters of a subject. */
const subjectMax = 1_024;

/** Why a message can't go to a subject: it is not a NATS subject without wildcards, or it belongs to NATS or to Sidestep. */
export function subjectFlaw(subject: string): string | undefined {
  if (subject === "") return "the subject is empty";
  if (subject.length > subjectMax) return `the subject has ${subject.length} characters, ${subjectMax} are allowed`;
  if (/[^\u0021-\uffff]|\u007f/u.test(subject))
    return `the subject '${subject}' has white space or a control character`;
  if (/[*>]/.test(subject)) return `the subject '${subject}' has a wildcard`;
  if (subject.split(".").includes("")) return `the subject '${subject}' has an empty token`;
  if (/^[$_]/.test(subject)) return `the subject '${subject}' belongs to NATS`;
  if (/^sidestep(\.|$)/.test(subject)) return `the subject '${subject}' belongs to Sidestep`;
  return undefined;
}
