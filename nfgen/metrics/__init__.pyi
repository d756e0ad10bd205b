from .chamfer import chamfer_matrix
from .clouds import as_clouds, surface_clouds, thin, z_score
from .copying import copying_scores, z_u
from .duplicates import near_duplicates, sampling_noise
from .emd import emd_matrix
from .frechet import (
    CloudClassifier,
    Embedder,
    feature_distance,
    feature_score,
    frechet_distance,
    load_classifier,
    save_classifier,
    train_classifier,
)
from .jensen_shannon import jsd
from .mmd_cov_nna import Score, Scores, cov, mmd, one_nna, score
from .novelty import nearest_weights, novelty_scores, weight_novelty
from .precision import precision_recall
from .protocols import PROTOCOLS, Protocol, protocol_named
from .reconstruction import compare_meshes, comparison_summary, iou, surface_agreement, volume_iou
from .score_sets import evaluate_clouds
from .validity import Validity, largest_share, mesh_validity, validity_summary

__all__ = [
    "PROTOCOLS",
    "CloudClassifier",
    "Embedder",
    "Protocol",
    "Score",
    "Scores",
    "Validity",
    "as_clouds",
    "chamfer_matrix",
    "compare_meshes",
    "comparison_summary",
    "copying_scores",
    "cov",
    "emd_matrix",
    "evaluate_clouds",
    "feature_distance",
    "feature_score",
    "frechet_distance",
    "iou",
    "jsd",
    "largest_share",
    "load_classifier",
    "mesh_validity",
    "mmd",
    "near_duplicates",
    "nearest_weights",
    "novelty_scores",
    "one_nna",
    "precision_recall",
    "protocol_named",
    "sampling_noise",
    "save_classifier",
    "score",
    "surface_agreement",
    "surface_clouds",
    "thin",
    "train_classifier",
    "validity_summary",
    "volume_iou",
    "weight_novelty",
    "z_score",
    "z_u",
]
