// What the viewer uses of three.js: the bundle `three.min.js` is made of these and of what they need.
export {
  BufferAttribute, BufferGeometry, DirectionalLight, DoubleSide, HemisphereLight, Mesh, MeshStandardMaterial,
  PCFShadowMap, PerspectiveCamera, PlaneGeometry, Scene, ShadowMaterial, WebGLRenderer,
} from "three";
