//! What a sampled span counts for.

/// Adjusted count of a sampled span: `ot=th:` of the tracestate is the rejection threshold in up to 14 hex digits.
pub fn weight(trace_state: &str) -> f64 {
    let threshold = || {
        let entry = trace_state.split(',').find_map(|entry| entry.trim().strip_prefix("ot="))?;
        let digits = entry.split(';').find_map(|part| part.strip_prefix("th:"))?;
        let value = u64::from_str_radix(digits.get(..digits.len().min(14))?, 16).ok()?;
        Some(value << (4 * (14usize.checked_sub(digits.len().min(14))?)))
    };
    if trace_state.is_empty() {
        return 1.0;
    }
    let whole = (1u64 << 56) as f64;
    threshold().map_or(1.0, |threshold| whole / (whole - threshold as f64).max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sampled_span_counts_for_those_left_out() {
        assert_eq!(weight(""), 1.0);
        assert_eq!(weight("ot=th:8"), 2.0, "half were rejected");
        assert_eq!(weight("vendor=x,ot=th:c;rv:1"), 4.0);
        assert_eq!(weight("ot=th:nonsense"), 1.0);
    }
}
