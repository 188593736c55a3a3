import { Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useApi } from "@/api/context";
import { status } from "@/api/queries";
import type { StudioStatus } from "@/api/types";
import { Loaded } from "@/ui/Loaded";
import { ListSkeleton } from "@/ui/PageSkeleton";
import { ToneDot } from "@/ui/Tone";
import classes from "./Overview.module.css";

/** The parts that every assistant of the Studio shares. */
export function StudioParts() {
  const query = useQuery(status(useApi()));
  return (
    <Loaded query={query} skeleton={<ListSkeleton rows={4} height={20} />}>
      {(studio) => (
        <Stack gap="md">
          <RunningSlots studio={studio} />
          <Components studio={studio} />
        </Stack>
      )}
    </Loaded>
  );
}

/** One running consumer per assistant, and one free for the next model. */
export function RunningSlots({ studio }: { studio: StudioStatus }) {
  const { assistants, running_slots: slots } = studio;
  if (assistants === null || slots === null) return null;
  const free = Math.max(0, slots - assistants);
  return (
    <div>
      <Text size="sm" mb={6}>
        Running consumers: <strong>{slots}</strong> = {assistants} {assistants === 1 ? "assistant" : "assistants"} +{" "}
        {free}
      </Text>
      <div className={classes.slots} role="img" aria-label={`${slots} slots, ${free} of them free`}>
        {Array.from({ length: Math.min(slots, 60) }, (_, slot) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: slots are alike and have no other identity
          <span key={slot} className={classes.slot} data-free={slot >= assistants ? "" : undefined} />
        ))}
      </div>
      <Text size="xs" c="dimmed" mt={6}>
        {free
          ? "A free slot lets a new model start beside the one that answers."
          : "No slot is free: a new model has to wait."}
      </Text>
    </div>
  );
}

export function Components({ studio }: { studio: StudioStatus }) {
  return (
    <div>
      {studio.components.map(({ name, ready, desired }) => (
        <div key={name} className={classes.part}>
          <span className={classes.partName}>
            <ToneDot tone={ready >= desired ? "good" : ready ? "warning" : "bad"} />
            {name.replaceAll("-", " ")}
          </span>
          <Text size="sm" c="dimmed" component="span">
            {ready} of {desired}
          </Text>
        </div>
      ))}
    </div>
  );
}
