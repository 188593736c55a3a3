/** The shapes of the API under short names; `schema.d.ts` is generated from docs/openapi.json (`npm run generate`). */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type ServerConfig = Schemas["Configuration"];
export type Me = Schemas["Me"];
export type StudioStatus = Schemas["StudioState"];
export type Condition = Schemas["Condition"];
export type Assistant = Schemas["Assistant"];
export type NewAssistant = Schemas["NewAssistant"];
export type Content = Schemas["ContentState"];
export type ContentFile = Schemas["DraftFile"];
export type DraftPaths = Schemas["DraftPaths"];
export type Revision = Schemas["Revision"];
export type Training = Schemas["Training"];
export type CacheHit = Schemas["CacheHit"];
/** What has states, a history and a log: the model service's items. */
export type Items = "trainings" | "runs";
export type Transition = Schemas["Transition"];
export type AssistantTraining = Schemas["AssistantTraining"];
export type Model = Schemas["TrainedModel"];
export type Run = Schemas["Run"];
export type ChatReply = Schemas["Reply"];
export type TrackerEvent = Schemas["Event"];
export type Conversation = Schemas["Conversation"];
export type ConversationDetail = Schemas["ConversationDetail"];
export type Flag = Schemas["Flag"];
export type DeadLetter = Schemas["DeadLetter"];
export type AuditEntry = Schemas["AuditEntry"];
