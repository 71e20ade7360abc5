#include "eval/judge.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include <fmt/format.h>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/special_functions/digamma.hpp>
#include <boost/math/special_functions/trigamma.hpp>

namespace blip3u::eval {

namespace {

constexpr double level = 0.05, power = 0.8;
constexpr double unlimited = 1e6;  // degrees of freedom that make no difference any more

/// Student's point that is exceeded in one of the two directions with this probability.
double student_point(double probability, double degrees) {
  return boost::math::quantile(
      boost::math::complement(boost::math::students_t(std::min(degrees, unlimited)), probability / 2));
}

double two_sided(double t, double degrees) {
  return 2 *
         boost::math::cdf(boost::math::complement(boost::math::students_t(std::min(degrees, unlimited)), std::abs(t)));
}

/// Roots of chi-squared over its degrees of freedom, at evenly spaced probabilities.
std::vector<double> deviations(double degrees) {
  constexpr int places = 120;
  std::vector<double> result;
  const double bounded = std::min(degrees, 1e4);
  for (int i = 0; i < places; ++i) {
    const boost::math::chi_squared distribution(bounded);
    result.push_back(std::sqrt(boost::math::quantile(distribution, (i + 0.5) / places) / bounded));
  }
  return result;
}

/// How many of its own standard errors an effect must measure, so that another sweep, which estimates its own standard
/// error, finds it with this probability of error in 4 of 5 cases.
double smallest_in_errors(double probability, double degrees) {
  const double point = student_point(probability, degrees);
  const std::vector<double> known = deviations(degrees);
  const auto found = [&](double size) {
    double sum = 0;
    for (const double stated : known) {
      for (const double other : known) sum += 0.5 * std::erfc((point * other - size * stated) / std::sqrt(2.0));
    }
    return sum / static_cast<double>(known.size() * known.size());
  };
  double low = 0, high = 4;
  while (found(high) < power && high < 1e6) high *= 2;
  for (int halving = 0; halving < 40; ++halving) {
    const double middle = (low + high) / 2;
    (found(middle) < power ? low : high) = middle;
  }
  return high;
}

double inverse_trigamma(double value) {
  double low = 1e-4, high = 1e6;
  for (int halving = 0; halving < 200; ++halving) {
    const double middle = std::sqrt(low * high);
    (boost::math::trigamma(middle) > value ? low : high) = middle;
  }
  return low;
}

/// The variance of each point between trainings, and its degrees of freedom.
struct Spread {
  std::vector<double> variance;
  double degrees = 0;        ///< of each
  double total_degrees = 0;  ///< of all together; 0: one seed
  bool pooled = true;        ///< all have one variance
};

/// Values less what points and seeds explain.
std::vector<std::vector<std::optional<double>>> residuals(const ScoreTable& score) {
  const std::size_t points = score.observations.size(), seeds = score.observations.front().size();
  std::vector<std::vector<std::optional<double>>> left(points, std::vector<std::optional<double>>(seeds));
  for (std::size_t p = 0; p < points; ++p) {
    for (std::size_t s = 0; s < seeds; ++s) {
      if (score.observations[p][s]) left[p][s] = score.observations[p][s]->value;
    }
  }
  const auto centre = [&](std::size_t count, std::size_t others, auto at) {
    for (std::size_t i = 0; i < count; ++i) {
      double sum = 0, number = 0;
      for (std::size_t j = 0; j < others; ++j) {
        if (at(i, j)) {
          sum += *at(i, j);
          number += 1;
        }
      }
      for (std::size_t j = 0; j < others; ++j) {
        if (at(i, j)) *at(i, j) -= sum / number;
      }
    }
  };
  for (int sweep = 0; sweep < 50; ++sweep) {  // one suffices where no run is missing
    centre(
        points, seeds, [&](std::size_t p, std::size_t s) -> auto& { return left[p][s]; });
    centre(
        seeds, points, [&](std::size_t s, std::size_t p) -> auto& { return left[p][s]; });
  }
  return left;
}

Spread spread_of(const ScoreTable& score) {
  const auto left = residuals(score);
  const std::size_t points = left.size();
  std::vector<double> squares(points, 0), counts(points, 0);
  std::set<std::size_t> seeds, used;
  for (std::size_t p = 0; p < points; ++p) {
    for (std::size_t s = 0; s < left[p].size(); ++s) {
      if (!left[p][s]) continue;
      squares[p] += *left[p][s] * *left[p][s];
      counts[p] += 1;
      seeds.insert(s);
      used.insert(p);
    }
  }
  const double all = std::accumulate(counts.begin(), counts.end(), 0.0);
  Spread spread{.variance = std::vector<double>(points, 0)};
  spread.total_degrees = std::max(0.0, all - static_cast<double>(used.size()) - static_cast<double>(seeds.size()) + 1);
  if (spread.total_degrees <= 0) return spread;
  const double pooled = std::accumulate(squares.begin(), squares.end(), 0.0) / spread.total_degrees;
  const double own = spread.total_degrees / static_cast<double>(used.size());
  spread.degrees = spread.total_degrees;
  std::ranges::fill(spread.variance, pooled);
  if (pooled <= 0 || used.size() < 3) return spread;

  std::vector<double> logarithms, variances(points, 0);
  for (const std::size_t p : used) {
    variances[p] = squares[p] / (spread.total_degrees * counts[p] / all);
    logarithms.push_back(std::log(std::max(variances[p], 1e-6 * pooled)));
  }
  const auto number = static_cast<double>(logarithms.size());
  const double mean = std::accumulate(logarithms.begin(), logarithms.end(), 0.0) / number;
  double varies = 0;
  for (const double value : logarithms) varies += (value - mean) * (value - mean) / (number - 1);
  const double excess = varies - boost::math::trigamma(own / 2);
  if (excess <= 0) return spread;  // no more than chance does
  const double prior = 2 * inverse_trigamma(excess);
  const double shared = std::exp(mean - boost::math::digamma(own / 2) + std::log(own / 2) +
                                 boost::math::digamma(prior / 2) - std::log(prior / 2));
  spread.pooled = false;
  spread.degrees = std::min(prior + own, spread.total_degrees);
  for (const std::size_t p : used) spread.variance[p] = (prior * shared + own * variances[p]) / (prior + own);
  return spread;
}

/// Seeds for which every point of the contrast is there.
std::vector<std::size_t> common_seeds(const ScoreTable& score, const Contrast& contrast) {
  std::vector<std::size_t> seeds;
  for (std::size_t s = 0; s < score.observations.front().size(); ++s) {
    const bool all = std::ranges::all_of(
        contrast.weights, [&](const auto& weight) { return score.observations[weight.first][s].has_value(); });
    if (all) seeds.push_back(s);
  }
  return seeds;
}

/// The part of the variance that comes from the items, and how many there are.
struct ItemPart {
  double variance = 0;
  std::size_t items = 0;
};

ItemPart item_part(const ScoreTable& score, const Contrast& contrast, const std::vector<std::size_t>& seeds) {
  std::vector<std::map<std::string, double>> influences;
  std::set<std::string> items;
  for (const std::size_t s : seeds) {
    influences.emplace_back();
    for (const auto& [point, weight] : contrast.weights) {
      for (const auto& [item, influence] : score.observations[point][s]->influences) {
        influences.back()[item] += weight * influence;
        items.insert(item);
      }
    }
  }
  const auto product = [](const std::map<std::string, double>& one, const std::map<std::string, double>& two) {
    double sum = 0;
    for (const auto& [item, value] : one) {
      if (const auto other = two.find(item); other != two.end()) sum += value * other->second;
    }
    return sum;
  };
  ItemPart part{.items = items.size()};
  if (seeds.size() == 1) {
    part.variance = product(influences[0], influences[0]);
    return part;
  }
  double pairs = 0;
  for (std::size_t i = 0; i < influences.size(); ++i) {
    for (std::size_t j = i + 1; j < influences.size(); ++j) {
      part.variance += product(influences[i], influences[j]);
      pairs += 1;
    }
  }
  part.variance = pairs > 0 ? std::max(0.0, part.variance / pairs) : 0;
  return part;
}

Estimated estimate(const ScoreTable& score, const Contrast& contrast, const Spread& spread, bool one_training) {
  Estimated result{.score = score.name, .name = contrast.name};
  const std::vector<std::size_t> seeds = common_seeds(score, contrast);
  result.seeds = seeds.size();
  if (seeds.empty()) {
    result.remark = "no seed has all runs that this needs";
    return result;
  }
  for (const std::size_t s : seeds) {
    for (const auto& [point, weight] : contrast.weights) {
      result.value += weight * score.observations[point][s]->value / static_cast<double>(seeds.size());
    }
  }
  result.interval = {result.value, result.value};
  double trainings = 0, from_trainings = 0, from_items = 0;  // the latter: squares over degrees of freedom
  if (seeds.size() > 1 && spread.total_degrees > 0) {
    for (const auto& [point, weight] : contrast.weights) {
      const double part = weight * weight * spread.variance[point] / static_cast<double>(seeds.size());
      trainings += part;
      from_trainings += part * part / spread.degrees;
    }
    if (spread.pooled) from_trainings = trainings * trainings / spread.total_degrees;
    from_trainings = std::max(from_trainings, trainings * trainings / spread.total_degrees);
  }
  const ItemPart items = item_part(score, contrast, seeds);
  const double variance = trainings + items.variance;
  if (variance <= 0) {
    result.remark = seeds.size() == 1 && items.items == 0 ? "one seed, and no items are known: evaluate the runs again"
                                                          : "all runs and items agree, so that nothing shows chance";
    return result;
  }
  if (items.items > 1) {
    from_items = items.variance * items.variance / static_cast<double>(items.items - 1);
  } else if (seeds.size() == 1) {
    result.remark = "one seed and one item";
    return result;
  }
  // Few seeds tell badly how much of the variance is theirs: it is taken a standard error higher here, or chance
  // findings of little variance would pass for many degrees of freedom.
  const double doubt = trainings > 0 ? 1 + std::sqrt(2 / spread.total_degrees) : 1;
  const double weighed = trainings * doubt + items.variance;
  result.degrees = weighed * weighed / (from_trainings * doubt * doubt + from_items);
  result.error = std::sqrt(variance);
  const double half = student_point(level, result.degrees) * result.error;
  result.interval = {result.value - half, result.value + half};
  result.p = two_sided(result.value / result.error, result.degrees);
  if (seeds.size() == 1 && !one_training) {
    result.remark =
        "one seed: the interval counts items alone and says nothing of another training; give two seeds or "
        "more";
  } else if (seeds.size() > 1 && result.degrees < 4) {
    result.remark =
        fmt::format("few seeds: {:.1f} degrees of freedom make the interval {:.1f} times as wide as many would",
                    result.degrees, student_point(level, result.degrees) / 1.96);
  }
  return result;
}

void correct(std::vector<Estimated>& all, const std::vector<ScoreTable>& scores, bool one_training) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].degrees > 0) order.push_back(i);
  }
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return all[i].p; });
  double least = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    Estimated& one = all[order[rank]];
    least = std::max(least, std::min(1.0, one.p * static_cast<double>(order.size() - rank)));
    one.corrected = least;
    one.comparisons = order.size();
    if (one.seeds == 1 && !one_training) continue;
    const bool higher = std::ranges::find(scores, one.score, &ScoreTable::name)->higher_is_better;
    one.verdict = one.corrected > level       ? Verdict::unseen
                  : (one.value > 0) == higher ? Verdict::better
                                              : Verdict::worse;
  }
}

}  // namespace

std::vector<Estimated> judge(const std::vector<ScoreTable>& scores, const std::vector<Contrast>& contrasts,
                             bool one_training) {
  std::vector<Estimated> result;
  for (const ScoreTable& score : scores) {
    const Spread spread = spread_of(score);
    for (const Contrast& contrast : contrasts) {
      result.push_back(estimate(score, contrast, spread, one_training));
    }
  }
  correct(result, scores, one_training);
  return result;
}

double smallest_effect(const Estimated& estimated) {
  if (estimated.degrees <= 0 || estimated.comparisons == 0) return std::numeric_limits<double>::infinity();
  return smallest_in_errors(level / static_cast<double>(estimated.comparisons), estimated.degrees) * estimated.error;
}

std::vector<Contrast> differences(const std::vector<std::string>& points) {
  std::vector<Contrast> result;
  for (std::size_t point = 1; point < points.size(); ++point) result.push_back({points[point], {{0, -1}, {point, 1}}});
  return result;
}

std::vector<Contrast> effects(const std::vector<JudgedAxis>& axes,
                              const std::vector<std::vector<std::size_t>>& labels) {
  std::map<std::vector<std::size_t>, std::size_t> places;
  for (std::size_t point = 0; point < labels.size(); ++point) places[labels[point]] = point;
  const std::vector<std::size_t>& baseline = labels.front();
  using Change = std::pair<std::size_t, std::size_t>;  // axis, label

  // The mean over all points that have these labels and whose counterparts are all there.
  const auto contrast = [&](const std::vector<Change>& changes) {
    Contrast result;
    double settings = 0;
    for (const auto& whole : labels) {
      const bool changed =
          std::ranges::all_of(changes, [&](const Change& change) { return whole[change.first] == change.second; });
      if (!changed) continue;
      std::map<std::size_t, double> parts;
      bool complete = true;
      for (std::size_t subset = 0; subset < (std::size_t{1} << changes.size()); ++subset) {
        std::vector<std::size_t> other = whole;
        double sign = 1;
        for (std::size_t i = 0; i < changes.size(); ++i) {
          if ((subset >> i & 1U) == 0U) continue;
          other[changes[i].first] = baseline[changes[i].first];
          sign = -sign;
        }
        const auto place = places.find(other);
        complete = complete && place != places.end();
        if (complete) parts[place->second] += sign;
      }
      if (!complete) continue;
      for (const auto& [point, weight] : parts) result.weights[point] += weight;
      settings += 1;
    }
    for (auto& [point, weight] : result.weights) weight /= settings;
    return result;
  };
  const auto name = [&](const Change& change) {
    return fmt::format("{}={}", axes[change.first].name, axes[change.first].labels[change.second]);
  };
  std::vector<Change> all;
  for (std::size_t axis = 0; axis < axes.size(); ++axis) {
    for (std::size_t label = 0; label < axes[axis].labels.size(); ++label) {
      if (label != baseline[axis]) all.emplace_back(axis, label);
    }
  }
  std::vector<Contrast> result;
  for (const Change& change : all) {
    Contrast main = contrast({change});
    main.name = name(change);
    if (!main.weights.empty()) result.push_back(std::move(main));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = i + 1; j < all.size(); ++j) {
      if (all[i].first == all[j].first) continue;
      Contrast both = contrast({all[i], all[j]});
      both.name = name(all[i]) + " x " + name(all[j]);
      if (!both.weights.empty()) result.push_back(std::move(both));
    }
  }
  return result;
}

const char* verdict_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::better: return "better";
    case Verdict::worse: return "worse";
    case Verdict::unseen: return "no difference seen";
    case Verdict::untold: return "cannot be told";
  }
  return "";
}

}  // namespace blip3u::eval
