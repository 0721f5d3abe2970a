/** Inboxes as clients make them; nobody may have others publish elsewhere, or where the client throws. */
const ownForm = /^_INBOX(\.\w{1,100}){1,3}$/;

/** What nats-server puts in place of the inbox of an account that imports the subject; what is published there reaches that account's request alone. */
const otherAccountForm = /^_R_(\.[\w-]{1,100}){1,3}$/;

/** Whether an answer to a request of our own account may be published there. */
export function isInbox(subject: string): boolean {
  return ownForm.test(subject);
}

/** The same of a request that may come from another account. */
export function isReplySubject(subject: string): boolean {
  return isInbox(subject) || otherAccountForm.test(subject);
}
