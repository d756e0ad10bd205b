"""Files and folders: artifacts, tensors, meshes and pictures on disk, and the Hugging Face Hub."""
