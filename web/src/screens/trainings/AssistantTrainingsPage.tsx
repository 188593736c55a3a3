import { Group } from "@mantine/core";
import { Allowed } from "@/auth/permissions";
import { useAssistant } from "@/screens/assistant/useAssistant";
import { RequestTraining } from "./RequestTraining";
import { TrainingList } from "./TrainingList";

export function AssistantTrainingsPage() {
  const { name } = useAssistant();
  return (
    <Allowed to="trainings.read">
      <Group justify="flex-end">
        <RequestTraining name={name} />
      </Group>
      <TrainingList filters={{ assistant: name }} />
    </Allowed>
  );
}
