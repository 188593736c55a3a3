import type {
  Assistant,
  AssistantTraining,
  Condition,
  ConversationDetail,
  Me,
  Model,
  Run,
  StudioStatus,
  TrackerEvent,
  Training,
} from "@/api/types";

const OPERATIONS = [
  "status.read",
  "assistants.read",
  "assistants.create",
  "assistants.delete",
  "content.read",
  "content.write",
  "content.publish",
  "trainings.read",
  "trainings.request",
  "trainings.cancel",
  "trainings.prioritise",
  "logs.read",
  "models.read",
  "models.activate",
  "models.download",
  "models.tag",
  "runs.read",
  "runs.start",
  "runs.stop",
  "chat.use",
  "conversations.read",
  "conversations.annotate",
  "conversations.delete",
  "dead_letters.read",
  "dead_letters.replay",
  "audit.read",
];

export function person(but: Partial<Me> = {}): Me {
  return {
    subject: "u1",
    username: "maria",
    name: "Maria",
    email: null,
    roles: ["admin"],
    assistants: null,
    permissions: OPERATIONS,
    ...but,
  };
}

export function condition(type: string, status: string, reason = "Because", message = ""): Condition {
  return { type, status, reason, message, last_transition_time: "2026-11-21T08:00:00Z" };
}

export function assistant(but: Partial<Assistant> = {}): Assistant {
  return {
    name: "concert-hall",
    display_name: null,
    language: "en",
    source: "studio",
    created_at: "2026-11-01T08:00:00Z",
    ready: true,
    available: true,
    paused: false,
    deleting: false,
    conditions: [],
    fingerprint: null,
    training: null,
    model: null,
    run: null,
    urls: {},
    published_revision: 1,
    generation: 1,
    ...but,
  };
}

/** What an assistant tells of its training that waits. */
export function assistantTraining(but: Partial<AssistantTraining> = {}): AssistantTraining {
  const waiting = { waits_for: null, estimated_start: null, progress: null };
  return { id: "t", state: "Queued", position: 1, reason: "Requested", ...waiting, ...but };
}

export function training(but: Partial<Training> = {}): Training {
  return {
    id: "concert-hall-t1-abcde",
    assistant: "concert-hall",
    fingerprint: "f",
    state: "Running",
    reason: "Training",
    message: "",
    attempt: 1,
    position: null,
    waits_for: "",
    starts_in: null,
    priority: 0,
    requested_at: "2026-11-21T08:00:00Z",
    started_at: "2026-11-21T08:00:05Z",
    finished_at: null,
    model_version: null,
    ...but,
  };
}

export function model(but: Partial<Model> = {}): Model {
  return {
    version: "3",
    fingerprint: "f",
    sha256: "0123456789abcdef",
    size: 1_400_000,
    trained_at: "2026-11-21T08:00:00Z",
    training: "concert-hall-t1-abcde",
    engine_image: "engine",
    seconds: 95,
    parent: "2",
    tags: [],
    active: false,
    ...but,
  };
}

export function run(but: Partial<Run> = {}): Run {
  return {
    id: "concert-hall-r1-abcde",
    assistant: "concert-hall",
    model_version: "3",
    model_sha256: "0123456789abcdef",
    state: "Ready",
    reason: "Ready",
    message: "",
    attempt: 1,
    position: null,
    waits_for: "",
    serving: true,
    requested_at: "2026-11-21T08:00:00Z",
    ready_at: "2026-11-21T08:01:00Z",
    ...but,
  };
}

export function event(seq: number, type: string, but: Partial<TrackerEvent> = {}): TrackerEvent {
  return {
    seq,
    at: "2026-11-21T08:00:00Z",
    type,
    text: null,
    intent: null,
    confidence: null,
    action: null,
    data: {},
    ...but,
  };
}

export function conversation(but: Partial<ConversationDetail> = {}): ConversationDetail {
  return {
    id: 1,
    assistant_id: "dev.concert-hall",
    sender_id: "web-1",
    channel: "rest",
    started_at: "2026-11-21T08:00:00Z",
    last_event_at: "2026-11-21T08:01:00Z",
    user_messages: 1,
    bot_messages: 1,
    min_confidence: 0.9,
    tags: [],
    flags: 0,
    preview: "hello",
    flag_list: [],
    events: [event(1, "user", { text: "hello", intent: "greet", confidence: 0.9 }), event(2, "bot", { text: "Hi!" })],
    ...but,
  };
}

export function studio(but: Partial<StudioStatus> = {}): StudioStatus {
  return {
    name: "studio",
    namespace: "dev",
    version: "0.1.0",
    ready: true,
    conditions: [],
    components: [{ name: "backend", ready: 1, desired: 1 }],
    assistants: 2,
    running_slots: 3,
    ingestion: { lag: 0, dead_letters: 0 },
    ...but,
  };
}
