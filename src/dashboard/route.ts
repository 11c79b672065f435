import { useEffect, useState } from "preact/hooks";

/** The pages, in the order of the navigation. The address has the form `#/page` or `#/page/tab`. */
export const pages = ["overview", "look-up", "sources", "corpora", "audit", "organization"] as const;
export type PageName = (typeof pages)[number];

export type Route = { readonly page: PageName; readonly rest: string; readonly query: URLSearchParams };

export const pageTitles: Readonly<Record<PageName, string>> = {
  overview: "Overview",
  "look-up": "Look-up",
  sources: "Sources",
  corpora: "Corpora",
  audit: "Audit",
  organization: "Organization",
};

/** The page in the address bar; the overview for an unknown page. */
export function useRoute(): Route {
  const [route, setRoute] = useState(readRoute);
  useEffect(() => {
    const follow = () => setRoute(readRoute());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
}

export function hrefOf(page: PageName, rest = ""): string {
  return `#/${page}${rest === "" ? "" : `/${rest}`}`;
}

function readRoute(): Route {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const [name = "", rest = ""] = path.split("/", 2);
  return {
    page: pages.find((page) => page === name) ?? "overview",
    rest,
    query: new URLSearchParams(query),
  };
}
