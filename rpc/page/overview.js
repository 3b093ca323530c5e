// The strip of figures at the top.

import { count, percent } from "./format.js";
import { byId, html, setText } from "./dom.js";

const FADE_MS = 1000;

export class Overview {
  #timer = null;
  #chain;

  constructor(chain) {
    this.#chain = chain;
  }

  /** What tandem_status says and only a restart changes. */
  described(status) {
    setText(byId("chain-id"), `chain ${status.chainId}`);
    setText(byId("fork"), status.fork);
    setText(byId("client"), `${status.client} · ${status.rules}`);
    const { strategy, workers } = status.execution ?? { strategy: "not answering", workers: null };
    setText(byId("strategy"), strategy);
    setText(byId("workers"), workers === null ? "" : `${workers} worker${workers === 1 ? "" : "s"}`);
  }

  draw() {
    const chain = this.#chain;
    setText(byId("head"), count(chain.head));
    setText(byId("safe"), count(chain.safe));
    setText(byId("finalized"), count(chain.finalized));
    const behind = chain.head - chain.finalized;
    setText(byId("lag"), behind > 0 ? `${count(behind)} not yet verified` : "all verified");
    this.#drawRate();
  }

  /** How consensus stands, as eth_subscribe("tandemConsensus") tells it. */
  drawValidators({ validators }) {
    const seen = validators.map((one) => ({ index: one.index, ...standing(one) }));
    const up = seen.filter(({ state }) => state !== "down").length;
    setText(byId("validators"), `${up} of ${seen.length} up`);
    byId("validator-dots").replaceChildren(
      ...seen.map(({ index, state, words }) =>
        html(
          "li",
          { class: `validator ${state}`, title: `validator ${index}: ${words}` },
          html("span", { class: "unseen" }, `validator ${index}: ${words}`),
        ),
      ),
    );
  }

  /** The rate falls while nothing comes: looked at again each second until it is zero, then no more. */
  #drawRate() {
    const rate = this.#chain.rate(Date.now());
    setText(byId("rate"), count(rate));
    const newest = this.#chain.newestWorthSeeing();
    const full =
      newest && this.#chain.gasLimit ? `newest block ${percent(newest.gasUsed / this.#chain.gasLimit)} full` : "";
    setText(byId("fullness"), full);
    if (rate > 0 && this.#timer === null) {
      this.#timer = setTimeout(() => {
        this.#timer = null;
        this.#drawRate();
      }, FADE_MS);
    }
  }
}

function standing({ connected, answers, behind }) {
  if (!connected) return { state: "down", words: "not connected" };
  if (!answers) return { state: "down", words: "does not answer" };
  if (behind > 1) return { state: "behind", words: `${behind} blocks behind` };
  return { state: "up", words: "up" };
}
