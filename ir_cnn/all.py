"The public face of the library: every name that `from ir_cnn.all import *` brings. What is not in it is imported from its module."
from .core import Workspace, variant, safe_name, get_feature_paths, get_label_paths, load_tensors
from .data.splits import FolderSplit, RandomSplit, ListSplit, ClassSplit, LeaveOneOut, Itself
from .data.core import get_dataset, list_datasets, register_dataset, RetrievalDataset, FolderDataset, TableDataset, own_rows, IndexedDataset, readable_label
from .data.benchmark import write_digits
from .models.pooling import GeM
from .models.heads import Head
from .models.embedder import Embedder, create_embedder, with_head, save_models, load_model, embedding_learner
from .models.weights import list_embedders
from .models.preprocess import preprocessing
from .models.runtime import OnnxNetwork
from .models.onnx import export_onnx, OnnxEmbedder
from .features.store import Features, load_features, list_features, open_features
from .features.extract import extract, saved_embedder, embed_like
from .search.exclude import Exclude
from .search.knn import knn, Neighbours, MeasuredGallery, distance_metrics
from .search.duplicates import near_duplicates, duplicate_pairs, duplicate_groups
from .search.index import Index, build_index, load_index
from .boost.whitening import Whitening, fit_whitening, learn_whitening, matching_pairs
from .boost.rerank import expand_query, augment_database, k_reciprocal, diffusion
from .boost.recipes import apply_recipe, register_recipe, booster, recipes
from .collection.core import Collection, SearchResults
from .scores.stats import mean_score, per_class, macro_mean, bootstrap_interval, paired_test
from .scores.ranks import RelevantRanks, full_ranks
from .scores.metrics import (
    evaluate, precision_at_k, hit_at_k, recall_at_k, r_precision, average_precision, map_at_r, mrr, ndcg_at_k, roc_auc, relevant_ranks)
from .scores.log import precision_at_k_to_dataframe, dataframes_to_excel, read_log, published_results
from .scores.compare import compare_logs, compare_rows
from .scores.indexes import compare_indexes, search_recall
from .plots.thumbnails import Thumbnails
from .plots.neighbours import plot_neighbours, plot_worst
from .plots.confusion import plot_confusion
from .plots.curves import plot_precision, plot_distances, plot_roc, plot_scores
from .plots.map import plot_map
from .plots.indexes import plot_recall

from .train.losses import create_loss
from .train.loaders import retrieval_dls, training_items, hold_out_classes
from .scores.results import score_embedder
from .train.learner import retrieval_learner, RetrievalLearner
from .train.checkpoints import Checkpoints, checkpoint_facts
from .train.classifier import finetune
from .train.fit import train, find_lr, training_presets, ir_cnn_train
from .explore.interpretation import RetrievalInterpretation
from .explore.explain import explain_pair, plot_pair, gradcam, faithfulness
from .explore.marks import Marks
from .explore.searcher import Searcher
from .explore.session import BrowsingSession
from .explore.report import save_report
from .explore.widget import RetrievalBrowser
from .explore.collection import CollectionSession, CollectionBrowser # and `Collection.browse`
from .run.core import run
from .run.commands import origin_datasets, ir_cnn_run
from .run.index import ir_cnn_index
