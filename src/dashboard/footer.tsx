import { useEffect, useState } from "preact/hooks";
import { ask } from "./api.ts";
import type { About } from "./wire.ts";

/** Licence and the offer of the source, as section 13 of the AGPL asks; the version for who is logged in. */
export function Footer({ version }: { version: string | null }) {
  const [about, setAbout] = useState<About | null>(null);
  useEffect(() => {
    // Without it the footer goes on saying what it knows.
    ask<About>("/dashboard/about").then(
      ({ body }) => setAbout(body),
      () => undefined,
    );
  }, []);
  return (
    <footer class="footer">
      <span>{version === null ? "xpose" : `xpose ${version}`}</span>
      <span>Free software under the GNU Affero General Public License, version 3</span>
      <SourceOffer url={about?.source_url ?? null} isKnown={about !== null} />
    </footer>
  );
}

function SourceOffer({ url, isKnown }: { url: string | null; isKnown: boolean }) {
  if (!isKnown) return null;
  if (url === null || !/^https?:\/\//.test(url)) {
    return <span>The corresponding source is to be had from whoever runs this installation (server.source_url)</span>;
  }
  return (
    <a href={url} rel="noreferrer noopener">
      Get the corresponding source
    </a>
  );
}
