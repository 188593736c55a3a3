import { RouterProvider } from "@tanstack/react-router";
import { Suspense } from "react";
import { Splash } from "@/ui/Splash";
import { makeRouter } from "./router";

const router = makeRouter();

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

export function Pages() {
  return (
    <Suspense fallback={<Splash busy />}>
      <RouterProvider router={router} />
    </Suspense>
  );
}
