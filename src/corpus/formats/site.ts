import { domainOf } from "../address.ts";

/**
 * The site that a URL or host of a stealer log names: its domain without `www.`, the package of an Android app, or null
 * when there is none (an address literal, a host of one label, no URL at all). Scheme, user, port and path are dropped.
 */
export function siteOf(text: string): string | null {
  // The host stands at the beginning; the patterns are given no more than that.
  const url = text.slice(0, maxUrlLength).trim();
  const host = androidPackage.exec(url)?.[1] ?? urlHost.exec(url)?.[1];
  if (host === undefined || host.length > maxHostLength) return null;
  return domainOf(host.replace(/^www\./i, ""));
}

/** `android://<base64>@com.example.app/`, where base64 may hold slashes. */
const androidPackage = /^android:\/\/[^@]*@([^/@\s]+)/i;
const urlHost = /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[^/?#@]*@)?([^/:?#\\\s]+)(?::\d*)?(?:[/?#\\].*)?$/i;
const maxUrlLength = 2048;
const maxHostLength = 253;
