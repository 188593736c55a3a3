import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, RouterProvider } from "@tanstack/react-router";
import { render } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { type ReactNode, Suspense } from "react";
import { AuthContext, type AuthContextProps } from "react-oidc-context";
import { Api, type Session } from "@/api/client";
import { ApiContext } from "@/api/context";
import { makeRouter } from "@/app/router";
import { theme } from "@/app/theme";

export const session: Session = { token: async () => "a-token", renew: async () => null };

function surroundings(children: ReactNode) {
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  return (
    <MantineProvider theme={theme} env="test">
      <Notifications />
      <QueryClientProvider client={queries}>
        <AuthContext value={{ isAuthenticated: true } as AuthContextProps}>
          <ApiContext value={new Api("/api/v1", session)}>
            <Suspense fallback="loading">{children}</Suspense>
          </ApiContext>
        </AuthContext>
      </QueryClientProvider>
    </MantineProvider>
  );
}

/** The whole application at an address, with somebody signed in. */
export function openPage(address: string) {
  const router = makeRouter({ history: createMemoryHistory({ initialEntries: [address] }) });
  render(surroundings(<RouterProvider router={router as never} />));
  return { user: userEvent.setup(), address: () => router.state.location.href };
}

/** One component by itself. */
export function show(children: ReactNode) {
  render(surroundings(children));
  return userEvent.setup();
}
