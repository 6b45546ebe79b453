# Draws the pictures of README.md into man/figures/.
# Call: Rscript tools/figures.R, from the checkout, with capalloc and ggplot2 installed.

library(capalloc)

dilated <- fit(arch_dilated(64, filters = 1), task_fgn(64, hurst = 0.8), seed = 1)
recurrent <- fit(arch_recurrent(64, units = 3), task_fgn(64, hurst = 0.8), seed = 1)
profiles <- ggplot2::autoplot(c(dilated = capacity(dilated), recurrent = capacity(recurrent)))

networks <- classical_architectures(64)[c("dense", "conv", "dilated", "pooled")]
tasks <- classical_tasks(64)[c("ar", "fgn", "sparse")]
comparison <- ggplot2::autoplot(compare_architectures(networks, tasks, replicates = 5, seed = 1))

dir.create("man/figures", showWarnings = FALSE)
ggplot2::ggsave("man/figures/profiles.png", profiles, width = 7, height = 3.6, dpi = 110)
ggplot2::ggsave("man/figures/comparison.png", comparison, width = 8, height = 4, dpi = 110)
