import { Button } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import { data } from "@/api/client";
import { useApi } from "@/api/context";
import type { Training } from "@/api/types";
import { useCan } from "@/auth/permissions";
import { useNewTraining } from "./RequestTraining";

/** Trains the content of a training that has ended once more. */
export function RetryTraining({ training: { id } }: { training: Training }) {
  const api = useApi();
  const retry = useNewTraining(() => data(api.rest.POST("/api/v1/trainings/{id}/retry", { params: { path: { id } } })));
  if (!useCan()("trainings.request")) return null;
  return (
    <Button
      leftSection={<IconRefresh size={16} aria-hidden />}
      aria-label={`Repeat ${id}`}
      loading={retry.isPending}
      onClick={() => retry.mutate()}
    >
      Repeat
    </Button>
  );
}
