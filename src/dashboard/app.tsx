import { render } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";
import type { About, Me } from "../wire/session.ts";
import { ask, Fault } from "./api.ts";
import { FaultNotice } from "./fault-notice.tsx";
import { LogIn } from "./log-in.tsx";
import { SessionContext } from "./session.ts";
import { Shell } from "./shell.tsx";
import { useTheme } from "./theme.ts";

type State =
  | { readonly kind: "asking" }
  | { readonly kind: "out"; readonly wasIn: boolean }
  | { readonly kind: "in"; readonly me: Me }
  | { readonly kind: "broken"; readonly fault: Fault };

/** Shows the log-in or the pages. The address stays the same, so that the log-in leads back to the same page. */
function App() {
  const [state, setState] = useState<State>({ kind: "asking" });
  const [sourceUrl, setSourceUrl] = useState<string | null>(null);
  const { theme, toggle } = useTheme();

  const enter = useCallback(async () => {
    try {
      // Ask for /about first: unlike /me it answers without a session, and leaves no denial in the audit trail.
      const { body: about } = await ask<About>("/dashboard/about");
      setSourceUrl(about.source_url);
      if (about.has_session) setState({ kind: "in", me: (await ask<Me>("/dashboard/me")).body });
      else setState({ kind: "out", wasIn: false });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      setState(error.status === 401 ? { kind: "out", wasIn: false } : { kind: "broken", fault: error });
    }
  }, []);
  const expire = useCallback(() => setState({ kind: "out", wasIn: true }), []);
  const logOut = useCallback(async () => {
    try {
      await ask("/session", { method: "DELETE" });
      setState({ kind: "out", wasIn: false });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      // 401 means that the session is already over, which is fine. After other errors the session may still be open.
      setState(error.status === 401 ? { kind: "out", wasIn: false } : { kind: "broken", fault: error });
    }
  }, []);
  useEffect(() => void enter(), [enter]);
  // Read `me` again on every change of the page, to show a changed plan or role.
  const isIn = state.kind === "in";
  useEffect(() => {
    if (!isIn) return;
    const refresh = () => {
      ask<Me>("/dashboard/me").then(
        ({ body }) => setState((now) => (now.kind === "in" ? { kind: "in", me: body } : now)),
        // The new page makes its own requests and shows their errors.
        (error: unknown) => error instanceof Fault && error.status === 401 && expire(),
      );
    };
    addEventListener("hashchange", refresh);
    return () => removeEventListener("hashchange", refresh);
  }, [isIn, expire]);

  if (state.kind === "asking") return null;
  if (state.kind === "broken") {
    return (
      <main class="gate">
        <FaultNotice fault={state.fault} retry={enter} />
      </main>
    );
  }
  if (state.kind === "out") {
    const look = { theme, toggleTheme: toggle, sourceUrl };
    return <LogIn wasIn={state.wasIn} onEntered={enter} {...look} />;
  }
  return (
    <SessionContext.Provider value={{ me: state.me, expire, logOut }}>
      <Shell theme={theme} toggleTheme={toggle} sourceUrl={sourceUrl} />
    </SessionContext.Provider>
  );
}

const place = document.getElementById("app");
if (place !== null) render(<App />, place);
