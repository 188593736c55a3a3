import { Button } from "@mantine/core";
import { IconPlayerPlay, IconPlayerStop } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { data } from "@/api/client";
import { useApi } from "@/api/context";
import { keys } from "@/api/queries";
import { useCan } from "@/auth/permissions";
import { Confirm } from "@/ui/Confirm";
import { done, failed } from "@/ui/notify";

/** Runs the wanted model by hand. */
export function StartRun({ name }: { name: string }) {
  const api = useApi();
  const cache = useQueryClient();
  const start = useMutation({
    mutationFn: () =>
      data(api.rest.POST("/api/v1/assistants/{assistant}/run/start", { params: { path: { assistant: name } } })),
    onSuccess: ({ id, state }) => done(state === "Ready" ? `${id} answers already.` : `${id} is being started.`),
    onError: (error) => failed(`${name} was not started`, error),
    onSettled: () => void cache.invalidateQueries({ queryKey: keys.runs }),
  });
  if (!useCan()("runs.start")) return null;
  return (
    <Button
      leftSection={<IconPlayerPlay size={16} aria-hidden />}
      aria-label={`Start ${name}`}
      loading={start.isPending}
      onClick={() => start.mutate()}
    >
      Start
    </Button>
  );
}

/** Ends what runs, after a question. */
export function StopRun({ name }: { name: string }) {
  const api = useApi();
  const cache = useQueryClient();
  const [asked, setAsked] = useState(false);
  const stop = useMutation({
    mutationFn: () =>
      data(api.rest.POST("/api/v1/assistants/{assistant}/run/stop", { params: { path: { assistant: name } } })),
    onSuccess: ({ id }) => done(`${id} is being stopped.`),
    onError: (error) => failed(`${name} was not stopped`, error),
    onSettled: () => {
      setAsked(false);
      void cache.invalidateQueries({ queryKey: keys.runs });
    },
  });
  if (!useCan()("runs.stop")) return null;
  return (
    <>
      <Button
        variant="default"
        leftSection={<IconPlayerStop size={16} aria-hidden />}
        aria-label={`Stop ${name}`}
        onClick={() => setAsked(true)}
      >
        Stop
      </Button>
      <Confirm
        title={`Stop ${name}?`}
        confirmLabel="Stop assistant"
        dangerous
        opened={asked}
        busy={stop.isPending}
        onCancel={() => setAsked(false)}
        onConfirm={() => stop.mutate()}
      >
        It answers nobody until somebody starts it, or until it gets another model. Its conversations are kept.
      </Confirm>
    </>
  );
}
