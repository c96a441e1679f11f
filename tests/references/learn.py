#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Record what scikit-learn makes of made-up data, for the learners of libapr: learn.py OUT.json

Each case holds its data and the results: least squares (also with dependent columns), k-means of separate and of touching
clusters with the silhouette, PCA, Gaussian naive Bayes with probabilities, Ledoit and Wolf's covariance with Mahalanobis
distances, and Wilson intervals by statsmodels' formula as scipy has it. Made with scikit-learn 1.9.1 and scipy 1.17.1.
"""
import json
import sys

import numpy as np
from scipy.stats import binomtest
from sklearn.cluster import KMeans
from sklearn.covariance import LedoitWolf, ShrunkCovariance
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score, silhouette_score
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler

random = np.random.default_rng(20260125)


def regression(n, d, scale, noise):
    x = random.normal(size=(n, d)) * scale + random.normal(size=d) * 10 * scale
    y = x @ random.normal(size=d) + 3 + noise * random.normal(size=n)
    model = LinearRegression(tol=1e-12).fit(x, y)
    return {"x": x.tolist(), "y": y.tolist(), "weights": [model.intercept_, *model.coef_],
            "predicted": model.predict(x).tolist(), "r2": r2_score(y, model.predict(x)), "rank": int(model.rank_)}


def dependent():
    case = regression(40, 3, np.ones(3), 0.5)
    x = np.array(case["x"])
    x = np.column_stack([x, x[:, 0] - 2 * x[:, 1], np.full(40, 7.0)])
    model = LinearRegression(tol=1e-12).fit(x, case["y"])
    return {**case, "x": x.tolist(), "weights": [], "predicted": model.predict(x).tolist(), "rank": 3}


def clusters(n, d, k, apart):
    centres = random.normal(size=(k, d)) * apart
    x = np.concatenate([random.normal(size=(n // k, d)) + c for c in centres])
    model = KMeans(k, n_init=200, random_state=1, tol=0).fit(x)
    return {"x": x.tolist(), "k": k, "labels": model.labels_.tolist(), "inertia": model.inertia_,
            "silhouette": silhouette_score(x, model.labels_)}


def components(n, d, m):
    x = random.normal(size=(n, d)) @ random.normal(size=(d, d)) * np.logspace(0, -4, d) + random.normal(size=d)
    model = PCA(m, svd_solver="full").fit(x)
    signs = np.sign(model.components_[np.arange(m), np.abs(model.components_).argmax(axis=1)])
    return {"x": x.tolist(), "m": m, "mean": model.mean_.tolist(),
            "components": (model.components_ * signs[:, None]).tolist(), "variance": model.explained_variance_.tolist(),
            "ratio": model.explained_variance_ratio_.tolist(), "projected": (model.transform(x) * signs).tolist()}


def bayes(n, d, c):
    labels = random.integers(0, c, n)
    x = random.normal(size=(n, d)) * (1 + labels[:, None]) + 2 * labels[:, None] * np.arange(d)
    x[:, -1] = 4  # a feature that says nothing
    model = GaussianNB().fit(x, labels)
    return {"x": x.tolist(), "labels": labels.tolist(), "c": c, "priors": model.class_prior_.tolist(),
            "means": model.theta_.tolist(), "variances": model.var_.tolist(), "chosen": model.predict(x).tolist(),
            "probabilities": model.predict_proba(x).tolist()}


def distances(n, d, shrinkage):
    x = random.normal(size=(n, d)) @ random.normal(size=(d, d))
    model = (LedoitWolf() if shrinkage < 0 else ShrunkCovariance(shrinkage=shrinkage)).fit(x)
    probe = random.normal(size=(10, d)) * 3
    return {"x": x.tolist(), "given": shrinkage, "shrinkage": float(model.shrinkage_ if shrinkage < 0 else shrinkage),
            "covariance": model.covariance_.tolist(), "probe": probe.tolist(), "distances": model.mahalanobis(probe).tolist()}


def scaled():
    x = random.normal(size=(30, 4)) * [1, 1e-6, 1e6, 1] + [0, 1, 5, 0]
    x[:, 3] = 2.5
    model = StandardScaler().fit(x)
    return {"x": x.tolist(), "mean": model.mean_.tolist(), "scale": model.scale_.tolist()}


def wilson(k, n, confidence):
    interval = binomtest(k, n).proportion_ci(confidence, method="wilson")
    z = float(__import__("scipy.stats", fromlist=["norm"]).norm.ppf(0.5 + confidence / 2))
    return {"k": k, "n": n, "z": z, "low": interval.low, "high": interval.high}


cases = {
    "regression": [regression(60, 4, np.ones(4), 0.3), regression(25, 6, np.logspace(-4, 4, 6), 1.0),
                   regression(2, 1, np.ones(1), 0.0), dependent()],
    "kmeans": [clusters(100, 3, 5, 12), clusters(90, 2, 3, 1.5), clusters(40, 6, 4, 3)],
    "pca": [components(50, 6, 3), components(12, 8, 8), components(200, 12, 3)],
    "bayes": [bayes(80, 5, 3), bayes(60, 3, 2)],
    "mahalanobis": [distances(40, 5, -1), distances(8, 12, -1), distances(30, 4, 0.1), distances(60, 4, 0.0)],
    "scaled": [scaled()],
    "wilson": [wilson(k, n, c) for k, n, c in ((0, 10, .95), (10, 10, .95), (3, 10, .95), (90, 100, .99), (1, 1, .9),
                                               (499, 1000, .95))],
}
with open(sys.argv[1], "w", encoding="utf-8") as f:
    f.write("{" + ",\n".join('"%s":[%s]' % (k, ",\n".join(json.dumps(c) for c in v)) for k, v in cases.items()) + "}\n")
