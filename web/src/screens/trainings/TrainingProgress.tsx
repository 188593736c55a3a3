import { Group, Progress, Text } from "@mantine/core";
import type { Training } from "@/api/types";

/** How far the engine is with what it trains now; nothing where it does not tell. */
export function TrainingProgress({ progress }: Pick<Training, "progress">) {
  const { step, percent } = progress ?? {};
  if (typeof percent !== "number") return null;
  const name = step || "Training";
  return (
    <Group gap="sm" mt={6} wrap="nowrap" maw={340}>
      <Progress value={percent} aria-label={`Progress of ${name}`} flex={1} />
      <Text size="xs" c="dimmed">
        {name}, {percent} %
      </Text>
    </Group>
  );
}
