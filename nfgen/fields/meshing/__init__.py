"""From a field to its surface: proven bounds exclude most cells, marching cubes takes the rest."""
