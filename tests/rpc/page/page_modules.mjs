// The page's modules for tests in Node.

import { register } from "node:module";

// They are served, not packed: nothing tells Node that they are modules.
register(
  `data:text/javascript,${encodeURIComponent(
    `export const load = (url, context, next) =>
       next(url, url.includes("/rpc/page/") ? { ...context, format: "module" } : context);`,
  )}`,
);

const FOLDER = new URL("../../../rpc/page/", import.meta.url);

/** What the module of a name exports. */
export const pageModule = (name) => import(new URL(name, FOLDER));
