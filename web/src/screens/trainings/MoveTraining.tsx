import { Button, Group, Modal, NumberInput, Stack, Text } from "@mantine/core";
import { IconArrowsSort } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { data } from "@/api/client";
import { useApi } from "@/api/context";
import { keys } from "@/api/queries";
import type { Training } from "@/api/types";
import { useCan } from "@/auth/permissions";
import { done, failed } from "@/ui/notify";

const MOST = 1000;

/** Gives a training that waits another priority, and so another place in the queue. */
export function MoveTraining({ training, compact = false }: { training: Training; compact?: boolean }) {
  const { id, state, priority = 0 } = training;
  const api = useApi();
  const cache = useQueryClient();
  const [wanted, setWanted] = useState<number | string | null>(null);
  const move = useMutation({
    mutationFn: (priority: number) =>
      data(api.rest.POST("/api/v1/trainings/{id}/priority", { params: { path: { id } }, body: { priority } })),
    onSuccess: ({ position }) => done(position ? `${id} is number ${position} in the queue.` : `${id} was moved.`),
    onError: (error) => failed("The training was not moved", error),
    onSettled: () => {
      setWanted(null);
      void cache.invalidateQueries({ queryKey: keys.trainings });
    },
  });
  if (!useCan()("trainings.prioritise") || state !== "Queued") return null;
  return (
    <>
      <Button
        size={compact ? "xs" : "sm"}
        variant="default"
        leftSection={<IconArrowsSort size={14} aria-hidden />}
        aria-label={`Move ${id}`}
        onClick={() => setWanted(priority)}
      >
        Move
      </Button>
      <Modal opened={wanted !== null} onClose={() => setWanted(null)} title="Move this training in the queue">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (typeof wanted === "number") move.mutate(wanted);
          }}
        >
          <Stack>
            <Text size="sm">
              Higher priorities start first. It holds for this training, until the priority of its assistant changes.
            </Text>
            <NumberInput
              label="Priority"
              min={-MOST}
              max={MOST}
              allowDecimal={false}
              value={wanted ?? priority}
              onChange={setWanted}
              data-autofocus
            />
            <Group justify="flex-end" gap="sm">
              <Button variant="default" onClick={() => setWanted(null)}>
                Cancel
              </Button>
              <Button type="submit" loading={move.isPending} disabled={typeof wanted !== "number"}>
                Move training
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
