# What limma and R make of the files here: Rscript oracle.R, in this folder. limma 3.54.1, R 4.2.2.
suppressMessages(library(limma))
options(digits = 17)
columns <- list()
keep <- function(name, m) { m <- as.matrix(m); for (j in seq_len(ncol(m))) columns[[paste0(name, ".", j)]] <<- m[, j] }
out <- function(file) {
  text <- lapply(columns, function(v) ifelse(is.na(v), "NaN", formatC(v, digits = 16, format = "g", width = 1)))
  con <- gzfile(file, "w", compression = 9)
  write.table(as.data.frame(text, check.names = FALSE), con, sep = "\t", quote = FALSE, row.names = FALSE)
  close(con)
  columns <<- list()
}
arrays <- c("251316214319_cut", "251316214320_cut")

RG <- read.maimages(paste0(arrays, ".txt.gz"), source = "agilent", verbose = FALSE)
keep("R", RG$R); keep("Rb", RG$Rb); keep("G", RG$G); keep("Gb", RG$Gb)
for (method in c("subtract", "half", "minimum")) {
  b <- backgroundCorrect(RG, method = method, verbose = FALSE); keep(paste0(method, ".R"), b$R); keep(paste0(method, ".G"), b$G)
}
# backgroundCorrect() does not hand the layout on: without it, movingmin takes neighbours in the file and the next arrays
moving <- function(E, Eb, printer) backgroundCorrect.matrix(E, Eb, method = "movingmin", printer = printer)
keep("movingmin.R", moving(RG$R, RG$Rb, RG$printer)); keep("movingmin.G", moving(RG$G, RG$Gb, RG$printer))
mle <- backgroundCorrect(RG, method = "normexp", normexp.method = "mle", offset = 50, verbose = FALSE)
keep("mle.R", mle$R); keep("mle.G", mle$G)
b <- backgroundCorrect(RG, method = "normexp", offset = 50, verbose = FALSE)
keep("normexp.R", b$R); keep("normexp.G", b$G)
none <- normalizeWithinArrays(b, method = "none"); keep("A", none$A)
keep("median.M", normalizeWithinArrays(b, method = "median")$M)
MA <- normalizeWithinArrays(b, method = "loess"); keep("loess.M", MA$M)
w <- matrix(rep_len(c(1, 0.5, 0, 2, 1, 1, 0.1), 2160), 1080, 2); keep("weights", w)
keep("weighted.median.M", normalizeWithinArrays(b, method = "median", weights = w)$M)
keep("weighted.loess.M", normalizeWithinArrays(b, method = "loess", weights = w)$M)
for (method in c("scale", "quantile", "Aquantile")) {
  n <- normalizeBetweenArrays(MA, method = method); keep(paste0(method, ".M"), n$M); keep(paste0(method, ".A"), n$A)
}
sub <- normalizeWithinArrays(RG, method = "loess"); keep("subtracted.M", sub$M)  # with missing values: differences <= 0
for (method in c("scale", "quantile", "Aquantile")) {
  n <- normalizeBetweenArrays(sub, method = method); keep(paste0("subtracted.", method, ".M"), n$M); keep(paste0("subtracted.", method, ".A"), n$A)
}
E <- read.maimages(paste0(arrays, ".txt.gz"), source = "agilent", green.only = TRUE, verbose = FALSE)
E <- backgroundCorrect(E, method = "normexp", offset = 16, verbose = FALSE)
for (method in c("scale", "quantile")) keep(paste0("one.", method), normalizeBetweenArrays(E, method = method)$E)
out("limma_feature_extraction.tsv.gz")
averaged <- avereps(normalizeBetweenArrays(sub, method = "Aquantile")$M, ID = RG$genes$ProbeName)
keep("M", averaged); out("limma_avereps.tsv.gz")

GP <- read.maimages(paste0(arrays, ".gpr.gz"), source = "genepix", verbose = FALSE, wt.fun = wtflags(weight = 0, cutoff = -49))
stopifnot(identical(as.integer(GP$printer[c("ngrid.r", "ngrid.c", "nspot.r", "nspot.c")]), c(2L, 4L, 9L, 15L)))
keep("R", GP$R); keep("Rb", GP$Rb); keep("G", GP$G); keep("Gb", GP$Gb); keep("weights", GP$weights)
keep("median.R", read.maimages(paste0(arrays, ".gpr.gz"), source = "genepix.median", verbose = FALSE)$R)
keep("movingmin.R", moving(GP$R, GP$Rb, GP$printer))
bg <- backgroundCorrect(GP, method = "normexp", offset = 50, verbose = FALSE)
keep("weighted.printtiploess.M", normalizeWithinArrays(bg, method = "printtiploess")$M)
keep("printtiploess.M", normalizeWithinArrays(bg, method = "printtiploess", weights = NULL)$M)
keep("weighted.loess.M", normalizeWithinArrays(bg, method = "loess")$M)
out("limma_genepix.tsv.gz")

# R's lowess and limma's weightedLowess and loessFit on small cases: a case per column, x, y, weights and fit
set.seed(1)
cases <- list(line = list(x = 1:30 + 0, y = 2 * (1:30)), ties = list(x = rep(1:10 + 0, each = 6), y = sin(1:60)),
  cars = list(x = cars$speed, y = cars$dist), few = list(x = c(3, 1, 2), y = c(1, 5, 2)), equal = list(x = rep(2, 12), y = (1:12)^2),
  noise = list(x = runif(400)^3, y = rnorm(400)), outlier = list(x = 1:50 / 7, y = c(rep(0.5, 24), 1000, rep(0.25, 25))))
rows <- list()
for (name in names(cases)) {
  x <- cases[[name]]$x; y <- cases[[name]]$y; w <- rep_len(c(1, 3, 0.2, 0, 1), length(x)); n <- length(x)
  f <- numeric(n); f[order(x)] <- lowess(x, y, f = 0.4, iter = 3)$y
  f0 <- numeric(n); f0[order(x)] <- lowess(x, y, f = 0.4, iter = 2, delta = 0)$y
  rows[[name]] <- data.frame(case = name, x = x, y = y, w = w, lowess = f, lowess0 = f0, weighted = weightedLowess(x, y, w + 0.01, span = 0.4)$fitted,
    fit = loessFit(y, x)$fitted, weighted.fit = loessFit(y, x, w)$fitted)
}
table <- do.call(rbind, rows)
for (j in 2:9) table[[j]] <- formatC(table[[j]], digits = 16, format = "g", width = 1)
con <- gzfile("lowess.tsv.gz", "w", compression = 9); write.table(table, con, sep = "\t", quote = FALSE, row.names = FALSE); close(con)
