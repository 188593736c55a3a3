/** What the reasons of trainings, of runs and of dead letters mean, in the words of somebody who does not read Kubernetes. See docs/conditions.md. */

const WORDS: Record<string, string> = {
  Queued: "Waiting for a free slot",
  Requested: "Just asked for",
  Claimed: "It has been taken up",
  Adopted: "Somebody else goes on with it",
  Released: "Whoever had it ended in good order; somebody else goes on",
  Starting: "Its job is being created",
  Pulling: "Images are being pulled",
  Fetching: "Its content is being fetched and checked",
  Training: "The engine is training",
  Uploading: "Model and log are being stored",
  Loading: "The engine loads the model",
  Ready: "The engine answers",
  Warm: "The engine is started and waits for its model",
  Assigned: "The model is there and goes into the warm engine",
  NotAnswering: "The engine does not answer",
  Terminating: "Its pod is being deleted",
  Unschedulable: "No node has room for it",
  QuotaExceeded: "The namespace's quota is used up",
  PodRefused: "A policy of the cluster refuses its pod",
  ImagePullFailed: "An image cannot be pulled",
  InvalidImageName: "The name of an image cannot be one",
  ContainerConfigError: "A Secret or key that it names is missing",
  JobDeleted: "Somebody deleted its job; it is tried again",
  PodDeleted: "Somebody deleted its pod; it is tried again",
  PodLost: "Its pod vanished; it is tried again",
  Disrupted: "The cluster moved it; it is tried again",
  FetchFailed: "The content could not be fetched",
  UploadFailed: "The model could not be stored",
  ResultMissing: "It ended without a model",
  HelperFailed: "The helper beside the engine does not start",
  ModelNotTaken: "The warm engine did not load its model; another one starts",
  GivenUp: "The warm engine was not needed any more",
  Trained: "A model was made",
  Stopped: "Somebody stopped it",
  Replaced: "Another run took over",
  Halted: "Its assistant shall not run",
  CrashLoop: "The engine ended again and again",
  ModelRefused: "The engine refuses the model",
  Cancelled: "Somebody cancelled it",
  Superseded: "Newer content is trained instead",
  Removed: "Its assistant was deleted",
  InvalidContent: "The engine refuses the content",
  InvalidSpec: "Kubernetes refuses the job",
  OutOfMemory: "The engine needs more memory than it may use",
  DeadlineExceeded: "It took longer than it may",
  EngineNotRunnable: "The engine image cannot be started",
  AttemptsExhausted: "Every attempt failed for reasons outside of the content",
  TooManyLosses: "The cluster ended every attempt",
  not_utf8: "Not readable as text (UTF-8)",
  not_json: "Not JSON",
  not_an_object: "JSON, but no event",
  out_of_range: "A number or time is out of range",
  bad_character: "A character that cannot be stored",
  refused_by_database: "The database refused it",
  gap: "Gone from Kafka before it was read",
};

/** The words for a reason; an unknown one is spelled out (`ImagePullFailed` becomes "Image pull failed"). */
export function wordsFor(reason: string): string {
  const known = WORDS[reason];
  if (known) return known;
  const spelled = reason
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replaceAll("_", " ")
    .toLowerCase();
  return spelled.charAt(0).toUpperCase() + spelled.slice(1);
}

/** A message of a condition, which begins in lower case, as a sentence of its own. */
export function sentence(message: string): string {
  const text = message.trim();
  const end = /[.!?…]$/.test(text) ? "" : ".";
  return text.charAt(0).toUpperCase() + text.slice(1) + end;
}

const REMEDIES: Record<string, string> = {
  InvalidContent: "Correct the content as the engine's message says, and publish it again.",
  OutOfMemory: "Raise the memory limit of trainings (spec.training.resources of the Assistant).",
  DeadlineExceeded: "Raise spec.training.deadlineSeconds of the Assistant, or make the content smaller.",
  ImagePullFailed: "Correct the engine image of the Assistant, or the registry of the Studio.",
  InvalidImageName: "Correct spec.engine.image of the Assistant, or spec.images of the Studio.",
  Unschedulable: "Add a node, or lower spec.training.resources of the Assistant.",
  QuotaExceeded: "Raise the quota of the namespace, or lower the resources.",
  EngineNotRunnable: "Correct spec.engine.image of the Assistant.",
  Cancelled: "Request a training when you want one.",
};

/** What to do about a failure, if anything can be said beforehand. */
export function remedyFor(reason: string): string | null {
  return REMEDIES[reason] ?? null;
}
