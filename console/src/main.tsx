import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App.tsx";
import { Gate } from "./session/Gate.tsx";
import "./styles/theme.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/pages.css";

const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <Gate>
        <App />
      </Gate>
    </StrictMode>,
  );
}
