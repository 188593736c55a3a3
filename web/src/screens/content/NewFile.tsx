import { Button, Group, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { IconFilePlus } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { useApi } from "@/api/context";
import { keys } from "@/api/queries";
import { pathProblem } from "@/domain/files";
import { failed } from "@/ui/notify";
import { writeFile } from "./fileApi";

const route = getRouteApi("/assistants/$name/content");

export function NewFile({ name, paths }: { name: string; paths: string[] }) {
  const api = useApi();
  const cache = useQueryClient();
  const navigate = route.useNavigate();
  const [asked, setAsked] = useState(false);
  const form = useForm({
    initialValues: { path: "" },
    validate: { path: (path) => pathProblem(path, paths) },
  });
  const create = useMutation({
    mutationFn: (path: string) => writeFile(api, name, path, "", null),
    onSuccess: async (_, path) => {
      setAsked(false);
      form.reset();
      await cache.invalidateQueries({ queryKey: keys.content(name) });
      void navigate({ search: { file: path } });
    },
    onError: (error) => failed("The file was not added", error),
  });
  if (!asked) {
    return (
      <Button
        size="xs"
        variant="subtle"
        leftSection={<IconFilePlus size={15} aria-hidden />}
        onClick={() => setAsked(true)}
      >
        Add a file
      </Button>
    );
  }
  return (
    <form onSubmit={form.onSubmit(({ path }) => create.mutate(path.trim()))}>
      <TextInput
        size="xs"
        label="Path of the new file"
        placeholder="data/rules.yml"
        autoFocus
        {...form.getInputProps("path")}
      />
      <Group gap="xs" mt="xs">
        <Button size="xs" type="submit" loading={create.isPending}>
          Add
        </Button>
        <Button size="xs" variant="default" onClick={() => setAsked(false)}>
          Cancel
        </Button>
      </Group>
    </form>
  );
}
