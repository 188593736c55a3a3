import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useApi } from "@/api/context";
import { assistant } from "@/api/queries";
import type { Assistant } from "@/api/types";

/** The assistant of the page. Its layout shows nothing below itself before it is there. */
export function useAssistant(): Assistant {
  const { name } = useParams({ from: "/assistants/$name" });
  const { data } = useQuery(assistant(useApi(), name));
  if (!data) throw new Error(`The assistant ${name} is not loaded`);
  return data;
}
