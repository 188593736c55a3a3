/** Chats of "Try it" are kept under `trial:<who tried>:<sender>`, so that they never mix with those of users. */
const TRIAL = /^trial:[^:]+:(.+)$/;

/** How a sender is called: what a person typed for a trial, the sender itself otherwise. */
export function senderName(sender: string): string {
  return TRIAL.exec(sender)?.[1] ?? sender;
}

/** Whether somebody only tried the assistant. */
export function isTrial(sender: string): boolean {
  return TRIAL.test(sender);
}
