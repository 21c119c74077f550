"The public face of the library: every name that `from ir_cnn.all import *` brings. What is not in it is imported from its module."
from .core import Workspace, variant, safe_name, get_feature_paths, get_label_paths, load_tensors
from .data.splits import FolderSplit, RandomSplit, ListSplit, ClassSplit, Itself
from .data.core import get_dataset, list_datasets, register_dataset, RetrievalDataset, FolderDataset, TableDataset, own_rows
from .data.benchmark import write_digits
from .data.metric_learning import IndexedDataset
from .models.pooling import GeM
from .models.heads import Head
from .models.weights import Embedder, create_embedder, list_embedders, with_head, save_models, load_model, preprocessing, embedding_learner
from .features.extract import Features, extract, load_features
from .features.saved import list_features, open_features, saved_embedder, embed_like
from .search.exclude import Exclude
from .search.knn import knn, Neighbours, MeasuredGallery, distance_metrics
from .boost.rerank import Whitening, fit_whitening, learn_whitening, matching_pairs, expand_query, augment_database, k_reciprocal, diffusion
from .boost.recipes import apply_recipe, register_recipe, booster, recipes
from .scores.stats import mean_score, per_class, macro_mean, bootstrap_interval, paired_test
from .scores.ranks import RelevantRanks
from .scores.full_ranks import full_ranks
from .scores.metrics import (
    evaluate, precision_at_k, hit_at_k, recall_at_k, r_precision, average_precision, map_at_r, mrr, ndcg_at_k, roc_auc, relevant_ranks)
from .scores.log import precision_at_k_to_dataframe, dataframes_to_excel, read_log, published_results
from .scores.compare import compare_logs, compare_rows
from .plots.thumbnails import Thumbnails
from .plots.neighbours import plot_neighbours, plot_worst
from .plots.curves import plot_confusion, plot_precision, plot_distances, plot_roc, plot_map
from .train.losses import create_loss
from .train.loaders import retrieval_dls, training_items
from .train.callbacks import score_embedder
from .train.learner import retrieval_learner, RetrievalLearner
from .train.checkpoints import Checkpoints, checkpoint_facts
from .train.classifier import finetune
from .train.fit import hold_out_classes, train, find_lr, training_recipes, ir_cnn_train
from .explore.interpretation import RetrievalInterpretation
from .explore.explain import explain_pair, plot_pair, gradcam, faithfulness
from .explore.marks import Marks
from .explore.searcher import Searcher
from .explore.session import BrowsingSession
from .explore.report import save_report
from .explore.widget import RetrievalBrowser
from .run import run, origin_datasets, ir_cnn_run
