"""Statistics of outcomes worked out on arrays, the plain way: what sums and SQL are held against."""

import numpy as np

from simtom_pipeline.validation.outcomes import GroupSums, Totals


def totals_of(outcome: np.ndarray, probability: np.ndarray) -> Totals:
    """Sums over rows, shapes (n,)."""
    variance = probability * (1 - probability)
    return Totals(
        len(outcome),
        float(outcome.sum()),
        float(probability.sum()),
        float(variance.sum()),
        float((variance * (1 - 2 * probability)).sum()),
        int((np.where(outcome > 0, probability, 1 - probability) <= 0).sum()),
    )


def sums_of(
    outcome: np.ndarray, probability: np.ndarray, group: np.ndarray, groups: int | None = None
) -> GroupSums:
    """The same over groups 0 ... k - 1, shapes (n,); k is `groups`, or as many as occur."""
    k = groups or group.max() + 1
    parts = [totals_of(outcome[group == g], probability[group == g]) for g in range(k)]
    columns = ("rows", "yes", "expected", "variance", "impossible")
    return GroupSums(*(np.array([getattr(part, name) for part in parts]) for name in columns))


def quantile_groups(values: np.ndarray, most: int = 50) -> np.ndarray:
    """Groups of neighbouring values, about equally large, equal values together; 0 ... k - 1, shape (n,)."""
    edges = np.unique(np.quantile(values, np.arange(1, most) / most, method="higher"))
    return np.unique(np.searchsorted(edges, values, side="right"), return_inverse=True)[1]


def rate_of_clusters(outcome: np.ndarray, cluster: np.ndarray) -> tuple[float, float]:
    """Share of yes and its standard error, rows of one cluster 0 ... k - 1 depending on each other."""
    share = float(outcome.mean())
    return share, float((np.bincount(cluster, (outcome - share) / len(outcome)) ** 2).sum() ** 0.5)


def auc_of_clusters(outcome: np.ndarray, score: np.ndarray, cluster: np.ndarray) -> tuple[float, float]:
    """AUC by comparing every yes with every no, and Obuchowski's standard error (1997), shapes (n,)."""
    yes, no = score[outcome > 0], score[outcome == 0]
    wins = (yes[:, None] > no) + (yes[:, None] == no) / 2
    area = float(wins.mean())
    influence = np.empty(len(outcome))
    influence[outcome > 0] = (wins.mean(axis=1) - area) / (len(yes) - 1)
    influence[outcome == 0] = (wins.mean(axis=0) - area) / (len(no) - 1)
    return area, float((np.bincount(cluster, influence) ** 2).sum() ** 0.5)
