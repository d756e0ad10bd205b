// Draws the page's models with three.js: one renderer for all of them, whose picture is copied to each model's canvas.
// Only models near the window hold memory, so a page of hundreds works on a phone. Tiles may come and go.
"use strict";

(() => {
  const START = { azimuth: 30, elevation: 25, zoom: 1 }; // degrees from the front (-y) and above the horizon
  const VIEW_RADIUS = 1.32, DISTANCE = 6; // a ball of this radius fills the view: feet and corners keep off its rim
  const SUN = { turn: -50, height: 58 }; // to the left of the camera, and above the horizon
  const KEPT = 48; // geometries in memory; the least recently drawn goes first
  const BUDGET = 12; // milliseconds of drawing in one frame, so that the page stays responsive
  const STEP = 10; // degrees of one press of a key
  const PIXEL_RATIO = Math.min(window.devicePixelRatio || 1, 2);

  const context = document.createElement("canvas").getContext("webgl2", { antialias: true, alpha: true });
  if (!context || !window.DecompressionStream) return; // the pictures that stand in stay

  const studio = makeStudio(context);
  document.documentElement.classList.add("webgl");

  // ---- models: from the page's texts to geometries -----------------------------------------------------------------

  const geometries = new Map(); // name -> geometry, or null while it is unpacked; in order of last use

  function geometry(name, whenReady) {
    const known = geometries.get(name);
    if (known) {
      geometries.delete(name);
      geometries.set(name, known);
      return known;
    }
    if (known === undefined) {
      geometries.set(name, null);
      textOf(name).then(unpack).then((made) => {
        geometries.set(name, made);
        forget();
        whenReady();
      }, () => {}); // an address that no longer answers: the picture that stands in stays
    }
    return null;
  }

  function forget() {
    for (const [name, known] of geometries) {
      if (geometries.size <= KEPT) return;
      if (known) {
        known.dispose();
        geometries.delete(name);
      }
    }
  }

  // A model is an element of the page, or of an address with a slash.
  async function textOf(name) {
    if (!name.includes("/")) return document.getElementById(name).textContent;
    const answer = await fetch(name);
    if (!answer.ok) throw new Error(answer.statusText);
    return answer.text();
  }

  // The inverse of `pack` in mesh_codec.py, which documents the layout.
  async function unpack(text) {
    const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const head = new DataView(bytes.buffer);
    const vertices = head.getUint32(0, true), corners = 3 * head.getUint32(4, true);
    const positions = new Float32Array(3 * vertices), indices = new Uint32Array(corners);
    for (let axis = 0; axis < 3; axis++) {
      let place = 8 + axis * vertices, value = 0;
      for (let i = 0; i < vertices; i++, place++) {
        const code = bytes[place] | (bytes[place + 3 * vertices] << 8);
        value += (code >>> 1) ^ -(code & 1);
        positions[3 * i + axis] = (2 * value) / 16383 - 1;
      }
    }
    let place = 8 + 6 * vertices, highWater = 0;
    for (let i = 0; i < corners; i++, place++) {
      const code = bytes[place] | (bytes[place + corners] << 8) | (bytes[place + 2 * corners] << 16);
      indices[i] = highWater - code;
      if (code === 0) highWater++;
    }
    const made = new THREE.BufferGeometry();
    made.setAttribute("position", new THREE.BufferAttribute(positions, 3));
    made.setIndex(new THREE.BufferAttribute(indices, 1));
    made.computeVertexNormals();
    made.computeBoundingBox();
    return made;
  }

  // ---- the studio: one scene, lit as nfgen's own pictures ----------------------------------------------------------

  function makeStudio(context) {
    const renderer = new THREE.WebGLRenderer({ canvas: context.canvas, context, antialias: true, alpha: true });
    renderer.shadowMap.enabled = true;
    renderer.shadowMap.type = THREE.PCFShadowMap;
    renderer.setClearColor(0x000000, 0);
    const scene = new THREE.Scene();
    const fieldOfView = (360 / Math.PI) * Math.atan(VIEW_RADIUS / Math.sqrt(DISTANCE ** 2 - VIEW_RADIUS ** 2));
    const camera = new THREE.PerspectiveCamera(fieldOfView, 1, 1, 20);
    camera.up.set(0, 0, 1);
    const clay = new THREE.MeshStandardMaterial({ color: 0xed9154, roughness: 0.8, side: THREE.DoubleSide });
    const mesh = new THREE.Mesh(new THREE.BufferGeometry(), clay);
    mesh.castShadow = mesh.receiveShadow = true;
    const ground = new THREE.Mesh(new THREE.PlaneGeometry(12, 12), new THREE.ShadowMaterial({ opacity: 0.15 }));
    ground.receiveShadow = true;
    const sky = new THREE.HemisphereLight(0xffffff, 0xa08e80, 1.45);
    sky.position.set(0, 0, 1);
    const sun = new THREE.DirectionalLight(0xfffaf2, 1.7);
    sun.castShadow = true;
    sun.shadow.mapSize.set(1024, 1024);
    sun.shadow.normalBias = 0.03; // coordinate units: about the size of a cell
    sun.shadow.radius = 4;
    Object.assign(sun.shadow.camera, { left: -2.2, right: 2.2, top: 2.2, bottom: -2.2, near: 1, far: 12 });
    scene.add(mesh, ground, sky, sun, sun.target);
    return { renderer, scene, camera, mesh, ground, sun };
  }

  function direction(azimuth, elevation, length) {
    const turn = (azimuth * Math.PI) / 180, rise = (elevation * Math.PI) / 180;
    return [
      length * Math.sin(turn) * Math.cos(rise),
      -length * Math.cos(turn) * Math.cos(rise),
      length * Math.sin(rise),
    ];
  }

  function draw(canvas, shape, view) {
    const { renderer, scene, camera, mesh, ground, sun } = studio;
    const width = Math.round(canvas.clientWidth * PIXEL_RATIO), height = Math.round(canvas.clientHeight * PIXEL_RATIO);
    if (width < 2 || height < 2) return false;
    const all = renderer.domElement;
    if (all.width < width || all.height < height)
      renderer.setSize(Math.max(all.width, width), Math.max(all.height, height), false);
    renderer.setViewport(0, 0, width, height);
    renderer.setScissor(0, 0, width, height);
    renderer.setScissorTest(true);
    mesh.geometry = shape;
    ground.position.z = shape.boundingBox.min.z;
    camera.position.set(...direction(view.azimuth, view.elevation, DISTANCE));
    camera.lookAt(0, 0, 0);
    camera.aspect = width / height;
    camera.zoom = view.zoom * Math.min(1, camera.aspect);
    camera.updateProjectionMatrix();
    sun.position.set(...direction(view.azimuth + SUN.turn, SUN.height, 5));
    renderer.render(scene, camera);
    canvas.width = width;
    canvas.height = height;
    canvas.getContext("2d").drawImage(all, 0, all.height - height, width, height, 0, 0, width, height);
    return true;
  }

  // ---- tiles: canvases that show a model from a view ---------------------------------------------------------------

  const waiting = new Set(); // tiles to draw, in the order in which they asked
  let frame = 0;

  function request(tile) {
    waiting.add(tile);
    frame = frame || requestAnimationFrame(drawWaiting);
  }

  function drawWaiting() {
    frame = 0;
    const end = performance.now() + BUDGET;
    for (const tile of [...waiting]) {
      waiting.delete(tile);
      if (!tile.shown) continue;
      const shape = geometry(tile.model, () => [...tiles.values(), ...stage.tiles].forEach((one) => one.model === tile.model && request(one)));
      if (shape && draw(tile.canvas, shape, tile.view)) tile.element.dataset.drawn = "";
      if (performance.now() > end) break;
    }
    if (waiting.size) frame = frame || requestAnimationFrame(drawWaiting);
  }

  function release(tile) {
    tile.canvas.width = tile.canvas.height = 0; // an undrawn canvas holds no memory
    delete tile.element.dataset.drawn;
  }

  function turn(tile, right, up) {
    tile.view.azimuth = (tile.view.azimuth - right) % 360;
    tile.view.elevation = Math.max(-89, Math.min(89, tile.view.elevation + up));
    tile.changed();
  }

  function zoom(tile, factor) {
    tile.view.zoom = Math.max(0.5, Math.min(6, tile.view.zoom * factor));
    tile.changed();
  }

  function reset(tile) {
    Object.assign(tile.view, START);
    tile.changed();
  }

  const keys = {
    ArrowLeft: (tile) => turn(tile, -STEP, 0),
    ArrowRight: (tile) => turn(tile, STEP, 0),
    ArrowUp: (tile) => turn(tile, 0, -STEP),
    ArrowDown: (tile) => turn(tile, 0, STEP),
    "+": (tile) => zoom(tile, 1.15),
    "=": (tile) => zoom(tile, 1.15),
    "-": (tile) => zoom(tile, 1 / 1.15),
    Home: reset,
  };

  function makeTurnable(tile) {
    const { element } = tile;
    let last = null;
    element.addEventListener("keydown", (event) => {
      const act = keys[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act(tile);
    });
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      last = { id: event.pointerId, x: event.clientX, y: event.clientY };
      tile.dragged = 0;
    });
    element.addEventListener("pointermove", (event) => {
      if (!last || last.id !== event.pointerId) return;
      const right = event.clientX - last.x, down = event.clientY - last.y;
      tile.dragged += Math.abs(right) + Math.abs(down);
      if (tile.dragged < 5) return; // a click by an unsteady hand
      element.setPointerCapture(event.pointerId);
      last.x = event.clientX;
      last.y = event.clientY;
      turn(tile, right * 0.5, down * 0.5);
    });
    for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, () => (last = null));
  }

  const tiles = new Map(); // by their elements, in the order in which they came
  const near = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const tile = tiles.get(target);
        if (!tile) continue;
        tile.shown = isIntersecting;
        if (isIntersecting) request(tile);
        else release(tile);
      }
    },
    { rootMargin: "400px" },
  );
  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) if (tiles.get(target)?.shown) request(tiles.get(target));
  });

  function adopt(element) {
    if (tiles.has(element)) return;
    const tile = { element, canvas: element.querySelector("canvas"), model: element.dataset.model, view: { ...START } };
    tile.changed = () => request(tile);
    element.addEventListener("click", (event) => {
      if (tile.dragged >= 5 && event.detail > 0) return; // the end of a drag, not a click
      stage.open(tile);
    });
    makeTurnable(tile);
    tiles.set(element, tile);
    near.observe(element);
    resized.observe(element);
  }

  function dismiss(element) {
    near.unobserve(element);
    resized.unobserve(element);
    waiting.delete(tiles.get(element));
    tiles.delete(element);
  }

  function lookAround() {
    document.querySelectorAll("button.model").forEach(adopt);
    for (const [element, tile] of tiles) {
      if (!element.isConnected) dismiss(element);
      else if (tile.model !== element.dataset.model || (tile.shown && !("drawn" in element.dataset))) {
        // A page may change an element in place: its model, or all that was not in its text, as what was drawn.
        tile.model = element.dataset.model;
        request(tile);
      }
    }
  }

  // ---- the stage: one model large, its neighbour beside it ---------------------------------------------------------

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
  const stage = makeStage(document.getElementById("stage"));

  function makeStage(dialog) {
    const find = (selector) => dialog.querySelector(selector);
    const element = find(".views"), caption = find(".caption"), turning = find("[data-act=turn]");
    const sides = [...dialog.querySelectorAll("figure")].map((figure) => ({
      element: figure, canvas: figure.querySelector("canvas"), label: figure.querySelector("figcaption"),
    }));
    const tile = { element, dragged: 0, view: { ...START } };
    let opened = null, running = 0, order = [];

    function open(chosen) {
      opened = chosen;
      tile.view = chosen.view; // the small model keeps what the large one was turned to
      const section = chosen.element.closest("section");
      order = [...tiles.values()].filter((one) => one.element.closest("section") === section && !one.element.classList.contains("small"));
      const { label, beside } = chosen.element.dataset;
      const models = [[chosen.model, label], [beside, "nearest training shape"]];
      sides.forEach((side, i) => {
        [side.model, side.label.textContent] = models[i];
        side.view = tile.view;
        side.shown = Boolean(side.model);
        side.element.hidden = !side.model;
        side.canvas.width = 0;
      });
      const about = chosen.element.closest("article")?.querySelector("p")?.innerText || "";
      caption.textContent = [label, about.replace(/\s+/g, " ")].join(" · ");
      element.setAttribute("aria-label", `${label}, large: arrow keys turn it, plus and minus zoom`);
      find("[data-act=previous]").disabled = find("[data-act=next]").disabled = order.indexOf(chosen) < 0 || order.length < 2;
      if (!dialog.open) dialog.showModal();
      element.focus();
      tile.changed();
    }

    function step(by) {
      const index = order.indexOf(opened);
      if (index >= 0) open(order[(index + by + order.length) % order.length]);
    }

    function run(on) {
      cancelAnimationFrame(running);
      running = 0;
      turning.setAttribute("aria-pressed", String(on));
      let before = 0;
      const next = (now) => {
        if (before) turn(tile, (now - before) * -0.03, 0); // 30 degrees a second
        before = now;
        running = requestAnimationFrame(next);
      };
      if (on) running = requestAnimationFrame(next);
    }

    tile.changed = () => {
      sides.filter((side) => side.shown).forEach(request);
      if (opened) request(opened);
    };
    makeTurnable(tile);
    const acts = {
      previous: () => step(-1),
      next: () => step(1),
      turn: () => run(!running),
      reset: () => reset(tile),
      close: () => dialog.close(),
    };
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close(); // outside of it
      acts[event.target.closest("[data-act]")?.dataset.act]?.();
    });
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "PageUp" || event.key === "PageDown") {
        event.preventDefault();
        step(event.key === "PageUp" ? -1 : 1);
      }
    });
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoom(tile, Math.exp(-event.deltaY * 0.0015));
    }, { passive: false });
    dialog.addEventListener("close", () => {
      run(false);
      sides.forEach((side) => (side.shown = false));
      opened?.element.focus();
    });
    new ResizeObserver(() => dialog.open && tile.changed()).observe(element);
    return { open, tiles: sides };
  }

  lookAround();
  new MutationObserver(lookAround).observe(document.body, {
    childList: true, subtree: true, attributeFilter: ["data-model", "data-drawn"],
  });

  // A page that leaves the screen of a phone may lose its graphics memory: three.js restores it, the canvases are ours.
  studio.renderer.domElement.addEventListener("webglcontextrestored", () => tiles.forEach((tile) => tile.shown && request(tile)));
})();
