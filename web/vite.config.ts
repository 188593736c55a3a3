import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const source = fileURLToPath(new URL("./src", import.meta.url));

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": source } },
  build: {
    target: "es2022",
    // Inlined files would be data: URLs, which the content security policy allows for images alone.
    assetsInlineLimit: 0,
    manifest: true,
  },
  server: { proxy: { "/api": process.env.STUDIO_URL ?? "http://localhost:8180" } },
});
