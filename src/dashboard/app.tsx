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

/** The log-in, or the pages. The address stays as it is meanwhile, so that one comes back to where one was. */
function App() {
  const [state, setState] = useState<State>({ kind: "asking" });
  const [sourceUrl, setSourceUrl] = useState<string | null>(null);
  const { theme, toggle } = useTheme();

  const enter = useCallback(async () => {
    try {
      // Asked first: who has no session is no refusal, and leaves no trace in the audit trail.
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
      // A session that is over already is what was wanted; one that could not be ended must not look as if it were.
      setState(error.status === 401 ? { kind: "out", wasIn: false } : { kind: "broken", fault: error });
    }
  }, []);
  useEffect(() => void enter(), [enter]);
  // A plan or role that was changed meanwhile shows on the next page, as it counts on the next request.
  const isIn = state.kind === "in";
  useEffect(() => {
    if (!isIn) return;
    const refresh = () => {
      ask<Me>("/dashboard/me").then(
        ({ body }) => setState((now) => (now.kind === "in" ? { kind: "in", me: body } : now)),
        // The page that is opened asks as well, and says what is wrong.
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
