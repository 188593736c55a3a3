import { Button } from "@mantine/core";
import { IconBolt } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { data } from "@/api/client";
import { useApi } from "@/api/context";
import { keys } from "@/api/queries";
import type { CacheHit, Training } from "@/api/types";
import { useCan } from "@/auth/permissions";
import { done, failed } from "@/ui/notify";

/** Asks for a training and goes to its log; what is trained already is only said. */
export function useTrainingRequest(name: string) {
  const api = useApi();
  return useNewTraining(() =>
    data(api.rest.POST("/api/v1/assistants/{assistant}/trainings", { params: { path: { assistant: name } } })),
  );
}

/** The same, however it is asked for. */
export function useNewTraining(ask: () => Promise<Training | CacheHit>) {
  const cache = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: ask,
    onSuccess: (answer) => {
      if (!("id" in answer)) {
        done(`Nothing to train: ${answer.message}.`);
        return;
      }
      const { id } = answer;
      void cache.invalidateQueries({ queryKey: keys.trainings });
      void navigate({ to: "/trainings/$id", params: { id } });
    },
    onError: (error) => failed("No training was requested", error),
  });
}

export function RequestTraining({ name }: { name: string }) {
  const request = useTrainingRequest(name);
  if (!useCan()("trainings.request")) return null;
  return (
    <Button
      leftSection={<IconBolt size={16} aria-hidden />}
      loading={request.isPending}
      onClick={() => request.mutate()}
    >
      Request a training
    </Button>
  );
}
