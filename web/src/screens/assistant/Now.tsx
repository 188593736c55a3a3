import { Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconCheck, IconCircleDashed, IconLoader2, IconX } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { Assistant } from "@/api/types";
import { type Health, stepsOf, type Tone } from "@/domain/health";
import { sentence, wordsFor } from "@/domain/reasons";
import { TrainingProgress } from "@/screens/trainings/TrainingProgress";
import classes from "./Overview.module.css";

const MARKS: Record<Tone, typeof IconCheck> = {
  good: IconCheck,
  busy: IconLoader2,
  warning: IconAlertTriangle,
  bad: IconX,
  idle: IconCircleDashed,
};

const TONE_WORDS: Record<Tone, string> = {
  good: "done",
  busy: "under way",
  warning: "done, with warnings",
  bad: "stopped",
  idle: "waiting",
};

/** Where the assistant stands on its way from content to answers. */
export function Now({ assistant, health }: { assistant: Assistant; health: Health }) {
  const { training } = assistant;
  return (
    <Stack gap="lg">
      <ol className={classes.steps}>
        {stepsOf(assistant).map(({ type, label, tone, condition }) => {
          const Mark = MARKS[tone];
          return (
            <li key={type} className={classes.step} data-tone={tone}>
              <span className={classes.mark}>
                <Mark size={18} stroke={2} aria-hidden />
              </span>
              <div>
                <Text size="sm" fw={600}>
                  {label}
                </Text>
                <Text size="xs" c="dimmed">
                  {condition ? TONE_WORDS[tone] : "not looked at yet"}
                </Text>
              </div>
            </li>
          );
        })}
      </ol>
      <div role="status">
        <Text size="sm">{health.detail}</Text>
        {training && (training.state === "Queued" || training.state === "Running") && (
          <Text size="sm" c="dimmed" mt={4}>
            {training.state === "Queued" && training.position
              ? `Its training is number ${training.position} in the queue. ${training.waits_for ? sentence(training.waits_for) : ""}`
              : `${wordsFor(training.reason)}.`}{" "}
            <Link to="/trainings/$id" params={{ id: training.id }}>
              Follow the training
            </Link>
          </Text>
        )}
        <TrainingProgress progress={training?.progress} />
      </div>
    </Stack>
  );
}
