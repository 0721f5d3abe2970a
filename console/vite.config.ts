import { defineConfig } from "vite";

// Every file is the orchestrator's own: nothing is inlined, so that its policy can be default-src 'self'.
export default defineConfig({
  root: import.meta.dirname,
  base: "/console/",
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2023",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
