import { Button } from "@mantine/core";
import { IconPlayerStop } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { data } from "@/api/client";
import { useApi } from "@/api/context";
import { keys } from "@/api/queries";
import type { Training } from "@/api/types";
import { useCan } from "@/auth/permissions";
import { Confirm } from "@/ui/Confirm";
import { done, failed } from "@/ui/notify";

export function CancelTraining({ training, compact = false }: { training: Training; compact?: boolean }) {
  const { id } = training;
  const api = useApi();
  const cache = useQueryClient();
  const [asked, setAsked] = useState(false);
  const cancel = useMutation({
    mutationFn: () => data(api.rest.POST("/api/v1/trainings/{id}/cancel", { params: { path: { id } } })),
    onSuccess: () => done(`${id} is being cancelled.`),
    onError: (error) => failed("The training was not cancelled", error),
    onSettled: () => {
      setAsked(false);
      void cache.invalidateQueries({ queryKey: keys.trainings });
    },
  });
  if (!useCan()("trainings.cancel")) return null;
  return (
    <>
      <Button
        size={compact ? "xs" : "sm"}
        variant="default"
        leftSection={<IconPlayerStop size={14} aria-hidden />}
        aria-label={`Cancel ${id}`}
        onClick={() => setAsked(true)}
      >
        Cancel
      </Button>
      <Confirm
        title="Cancel this training?"
        confirmLabel="Cancel training"
        dangerous
        opened={asked}
        busy={cancel.isPending}
        onCancel={() => setAsked(false)}
        onConfirm={() => cancel.mutate()}
      >
        What it has computed is lost. The model that answers now stays. The training does not start again by itself.
      </Confirm>
    </>
  );
}
