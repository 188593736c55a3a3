/** Every state worth sharing has an address; every screen is loaded when it is first opened. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  type RouterHistory,
  redirect,
} from "@tanstack/react-router";
import type { TrainingFilters } from "@/api/queries";
import { filtersFrom } from "@/domain/filters";
import { STATES } from "@/domain/trainings";
import { NotFound } from "@/ui/NotFound";
import { PageError } from "@/ui/PageError";
import { PageSkeleton } from "@/ui/PageSkeleton";
import { Shell } from "./Shell";

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value ? value : typeof value === "number" ? String(value) : undefined;

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const start = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/assistants" });
  },
});

const assistants = createRoute({
  getParentRoute: () => root,
  path: "/assistants",
  validateSearch: (search: Record<string, unknown>): { q?: string } => ({ q: text(search.q) }),
  component: lazyRouteComponent(() => import("@/screens/assistants/AssistantsPage"), "AssistantsPage"),
});

const newAssistant = createRoute({
  getParentRoute: () => root,
  path: "/new",
  component: lazyRouteComponent(() => import("@/screens/assistants/NewAssistantPage"), "NewAssistantPage"),
});

const assistant = createRoute({
  getParentRoute: () => root,
  path: "/assistants/$name",
  component: lazyRouteComponent(() => import("@/screens/assistant/AssistantLayout"), "AssistantLayout"),
});

const overview = createRoute({
  getParentRoute: () => assistant,
  path: "/",
  component: lazyRouteComponent(() => import("@/screens/assistant/OverviewPage"), "OverviewPage"),
});

const assistantTrainings = createRoute({
  getParentRoute: () => assistant,
  path: "/trainings",
  component: lazyRouteComponent(() => import("@/screens/trainings/AssistantTrainingsPage"), "AssistantTrainingsPage"),
});

const assistantRuns = createRoute({
  getParentRoute: () => assistant,
  path: "/runs",
  component: lazyRouteComponent(() => import("@/screens/runs/AssistantRunsPage"), "AssistantRunsPage"),
});

const models = createRoute({
  getParentRoute: () => assistant,
  path: "/models",
  component: lazyRouteComponent(() => import("@/screens/assistant/ModelsPage"), "ModelsPage"),
});

const chat = createRoute({
  getParentRoute: () => assistant,
  path: "/try",
  validateSearch: (search: Record<string, unknown>): { sender?: string } => ({ sender: text(search.sender) }),
  component: lazyRouteComponent(() => import("@/screens/chat/ChatPage"), "ChatPage"),
});

const contentEditor = createRoute({
  getParentRoute: () => assistant,
  path: "/content",
  validateSearch: (search: Record<string, unknown>): { file?: string } => ({ file: text(search.file) }),
  component: lazyRouteComponent(() => import("@/screens/content/ContentPage"), "ContentPage"),
});

const trainings = createRoute({
  getParentRoute: () => root,
  path: "/trainings",
  validateSearch: (search: Record<string, unknown>): TrainingFilters => ({
    assistant: text(search.assistant),
    state: STATES.find((state) => state === search.state),
  }),
  component: lazyRouteComponent(() => import("@/screens/trainings/TrainingsPage"), "TrainingsPage"),
});

const training = createRoute({
  getParentRoute: () => root,
  path: "/trainings/$id",
  component: lazyRouteComponent(() => import("@/screens/trainings/TrainingPage"), "TrainingPage"),
});

const run = createRoute({
  getParentRoute: () => root,
  path: "/runs/$id",
  component: lazyRouteComponent(() => import("@/screens/runs/RunPage"), "RunPage"),
});

const conversations = createRoute({
  getParentRoute: () => root,
  path: "/conversations",
  validateSearch: filtersFrom,
  component: lazyRouteComponent(() => import("@/screens/conversations/ConversationsPage"), "ConversationsPage"),
});

const conversation = createRoute({
  getParentRoute: () => root,
  path: "/conversations/$id",
  validateSearch: (search: Record<string, unknown>): { event?: number } => ({
    event: Number(search.event) > 0 ? Number(search.event) : undefined,
  }),
  component: lazyRouteComponent(() => import("@/screens/conversations/ConversationPage"), "ConversationPage"),
});

const system = createRoute({
  getParentRoute: () => root,
  path: "/system",
  component: lazyRouteComponent(() => import("@/screens/system/SystemLayout"), "SystemLayout"),
});

const systemStatus = createRoute({
  getParentRoute: () => system,
  path: "/",
  component: lazyRouteComponent(() => import("@/screens/system/StatusPage"), "StatusPage"),
});

const deadLetters = createRoute({
  getParentRoute: () => system,
  path: "/dead-letters",
  component: lazyRouteComponent(() => import("@/screens/system/DeadLettersPage"), "DeadLettersPage"),
});

const audit = createRoute({
  getParentRoute: () => system,
  path: "/audit",
  component: lazyRouteComponent(() => import("@/screens/system/AuditPage"), "AuditPage"),
});

const tree = root.addChildren([
  start,
  assistants,
  newAssistant,
  assistant.addChildren([overview, assistantTrainings, models, assistantRuns, chat, contentEditor]),
  trainings,
  training,
  run,
  conversations,
  conversation,
  system.addChildren([systemStatus, deadLetters, audit]),
]);

/** The router; tests give it a history of their own. */
export function makeRouter({ history }: { history?: RouterHistory } = {}) {
  return createRouter({
    routeTree: tree,
    history,
    defaultPreload: "intent",
    defaultPendingComponent: PageSkeleton,
    defaultErrorComponent: PageError,
    defaultNotFoundComponent: NotFound,
    scrollRestoration: true,
  });
}
