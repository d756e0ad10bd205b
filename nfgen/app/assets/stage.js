// The large view that viewer.js fills: Gradio builds the page, so it is added to it.
"use strict";

document.body.insertAdjacentHTML("beforeend", `
<dialog id="stage" aria-label="Large view">
<div class="views" tabindex="0" role="group">
<figure><canvas></canvas><figcaption></figcaption></figure>
<figure hidden><canvas></canvas><figcaption></figcaption></figure>
</div>
<p class="caption" aria-live="polite"></p>
<div class="controls">
<button type="button" data-act="previous">Previous</button>
<button type="button" data-act="next">Next</button>
<button type="button" data-act="turn" aria-pressed="false">Turn</button>
<button type="button" data-act="reset">Reset</button>
<button type="button" data-act="close">Close</button>
</div>
</dialog>`);
