import { Autocomplete, Button, Code, Group, Radio, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { data } from "@/api/client";
import { useApi } from "@/api/context";
import { ApiError } from "@/api/problem";
import { keys } from "@/api/queries";
import type { NewAssistant } from "@/api/types";
import { Allowed } from "@/auth/permissions";
import { NAME_MAX, nameFrom, nameProblem } from "@/domain/names";
import { ErrorPanel } from "@/ui/ErrorPanel";
import { LinkButton } from "@/ui/LinkButton";
import { Page, Section } from "@/ui/Page";

const LANGUAGES = ["en", "de", "es", "fr", "it", "nl", "pl", "pt", "ro", "tr", "uk"];
const LANGUAGE = /^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/;

export function NewAssistantPage() {
  return (
    <Allowed to="assistants.create">
      <Page title="New assistant" description="It gets content to edit here. You can move it to Git whenever you like.">
        <Section>
          <CreateForm />
        </Section>
      </Page>
    </Allowed>
  );
}

function CreateForm() {
  const api = useApi();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const [nameTouched, setNameTouched] = useState(false);
  const form = useForm<Required<NewAssistant> & { display_name: string }>({
    initialValues: { display_name: "", name: "", language: "en", template: "starter" },
    validateInputOnChange: ["name"],
    validate: {
      name: nameProblem,
      language: (value) => (LANGUAGE.test(value) ? null : "A language code, such as en or pt-BR."),
    },
  });
  const create = useMutation({
    mutationFn: (body: NewAssistant) => data(api.rest.POST("/api/v1/assistants", { body })),
    onSuccess: (assistant) => {
      cache.setQueryData(keys.assistant(assistant.name), assistant);
      void cache.invalidateQueries({ queryKey: keys.assistants });
      void navigate({ to: "/assistants/$name/content", params: { name: assistant.name } });
    },
    onError: (error) => {
      if (!(error instanceof ApiError)) return;
      for (const { field, message } of error.fields) form.setFieldError(field, message);
      if (error.status === 409) form.setFieldError("name", error.message);
    },
  });

  return (
    <form onSubmit={form.onSubmit((values) => create.mutate({ ...values, display_name: values.display_name || null }))}>
      <Stack gap="lg" maw={560}>
        {create.error && <ErrorPanel error={create.error} title="The assistant was not created" />}
        <TextInput
          label="What people call it"
          placeholder="Concert hall"
          description="Optional; shown in lists."
          data-autofocus
          autoFocus
          {...form.getInputProps("display_name")}
          onChange={(event) => {
            const title = event.currentTarget.value;
            form.setFieldValue("display_name", title);
            if (!nameTouched) form.setFieldValue("name", nameFrom(title));
          }}
        />
        <TextInput
          label="Name"
          required
          maxLength={NAME_MAX + 10}
          placeholder="concert-hall"
          description={
            <>
              The name of the resource, such as <Code>concert-hall</Code>: small letters, digits and hyphens, at most{" "}
              {NAME_MAX}. It cannot be changed later.
            </>
          }
          {...form.getInputProps("name")}
          onChange={(event) => {
            setNameTouched(true);
            form.setFieldValue("name", event.currentTarget.value);
          }}
        />
        <Autocomplete
          label="Language"
          required
          description="The code of the language that its users write."
          data={LANGUAGES}
          w={200}
          {...form.getInputProps("language")}
        />
        <Radio.Group label="Start with" {...form.getInputProps("template")}>
          <Stack gap="sm" mt="xs">
            <Radio
              value="starter"
              label="A small example"
              description="Greets, answers, says goodbye: ready to be published and trained."
            />
            <Radio
              value="empty"
              label="Nothing"
              description="You write the files, or upload an archive of a Rasa project."
            />
          </Stack>
        </Radio.Group>
        <Group>
          <Button type="submit" loading={create.isPending}>
            Create assistant
          </Button>
          <LinkButton to="/assistants" variant="default">
            Cancel
          </LinkButton>
        </Group>
      </Stack>
    </form>
  );
}
