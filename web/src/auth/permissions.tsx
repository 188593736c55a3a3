import { useSuspenseQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useApi } from "@/api/context";
import { me } from "@/api/queries";
import type { Me } from "@/api/types";
import { Forbidden } from "@/ui/Forbidden";

export type Operation =
  | "assistants.read"
  | "assistants.create"
  | "assistants.delete"
  | "content.read"
  | "content.write"
  | "content.publish"
  | "trainings.read"
  | "trainings.request"
  | "trainings.cancel"
  | "trainings.prioritise"
  | "logs.read"
  | "models.read"
  | "models.activate"
  | "models.download"
  | "models.tag"
  | "runs.read"
  | "runs.start"
  | "runs.stop"
  | "chat.use"
  | "conversations.read"
  | "conversations.annotate"
  | "conversations.delete"
  | "dead_letters.read"
  | "dead_letters.replay"
  | "audit.read"
  | "status.read";

export type Can = (operation: Operation) => boolean;

export function canOf(person: Pick<Me, "permissions">): Can {
  const granted = new Set(person.permissions);
  return (operation) => granted.has(operation);
}

/** Who is signed in. */
export function useMe(): Me {
  return useSuspenseQuery(me(useApi())).data;
}

/** What the signed-in person may do. It only decides what is shown: the API decides what is done. */
export function useCan(): Can {
  return canOf(useMe());
}

/** Shows the page, or says which permission it takes. */
export function Allowed({ to, children }: { to: Operation; children: ReactNode }) {
  return useCan()(to) ? children : <Forbidden operation={to} />;
}
